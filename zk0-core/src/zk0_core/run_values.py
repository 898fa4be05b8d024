"""The plain values of a run: each with its range, its default and a sentence of help."""

import attrs

from zk0_core.validators import Check, above_up_to, between, ge, gt, one_of

DEVICES = ("auto", "cpu", "cuda", "mps")


@attrs.frozen(kw_only=True)
class RunValues:
    """The plain values of a run: the top-level keys of a run file."""

    rounds: int = attrs.field(default=15, validator=ge(1), metadata={"help": "Rounds of training."})
    local_steps: int = attrs.field(
        default=100,
        validator=ge(1),
        metadata={"help": "Optimizer steps of each client in a round."},
    )
    local_epochs: float | None = attrs.field(
        default=None,
        validator=above_up_to(0, 10_000),
        metadata={
            "help": "Passes of each client over its own data in a round, instead of local_steps: "
            "who has more data takes more steps."
        },
    )
    batch_size: int | None = attrs.field(
        default=None, validator=ge(1), metadata={"help": "Frames in a step; none: the policy's."}
    )
    lr: float | None = attrs.field(
        default=None, validator=gt(0), metadata={"help": "Base learning rate; none: the policy's."}
    )
    seed: int = attrs.field(
        default=42, validator=ge(0), metadata={"help": "Every random choice follows from it."}
    )
    optimizer_state: str = attrs.field(
        default="keep",
        validator=one_of("keep", "reset"),
        metadata={"help": "Whether a client keeps its AdamW state from round to round."},
    )
    normalization: str = attrs.field(
        default="pooled",
        validator=one_of("pooled", "per-client"),
        metadata={
            "help": "Normalise with the statistics of all clients' data together, or each client "
            "with those of its own."
        },
    )
    fraction: float = attrs.field(
        default=1.0,
        validator=above_up_to(0, 1),
        metadata={"help": "Share of the clients that train in a round."},
    )
    min_updates: int = attrs.field(
        default=1,
        validator=ge(1),
        metadata={"help": "Usable updates that a round needs to count."},
    )
    quarantine_after: int = attrs.field(
        default=3,
        validator=ge(0),
        metadata={
            "help": "A client is not asked any more when so many of its updates were refused; "
            "0: it always is."
        },
    )
    max_update_mb: float | None = attrs.field(
        default=None,
        validator=gt(0),
        metadata={
            "help": "Most that a client may send in a round, in MB; none: three times the "
            "parameters as float32."
        },
    )
    eval_every: int = attrs.field(
        default=1,
        validator=ge(0),
        metadata={
            "help": "Evaluate at the start, after every so many rounds and after the last; "
            "0: after the last only."
        },
    )
    checkpoint_every: int = attrs.field(
        default=1,
        validator=ge(0),
        metadata={"help": "Save the model after every so many rounds; 0: the final one only."},
    )
    eta_min: float = attrs.field(
        default=5e-7,
        validator=ge(0),
        metadata={"help": "No schedule takes the learning rate below this."},
    )
    lr_max: float = attrs.field(
        default=0.0,
        validator=ge(0),
        metadata={"help": "Nor above this; 0: ten times lr."},
    )
    engine: str = attrs.field(
        default="local",
        validator=one_of("local", "ray"),
        metadata={"help": "Where clients run: worker processes, or Flower's Ray simulation."},
    )
    workers: int = attrs.field(
        default=0,
        validator=between(0, 1024),
        metadata={
            "help": "Worker processes; 0: one per core, or per GPU where policies train on GPUs. "
            "Results don't depend on it."
        },
    )
    threads: int = attrs.field(
        default=1, validator=between(1, 1024), metadata={"help": "Threads of a client."}
    )
    device: str = attrs.field(
        default="auto",
        validator=Check(
            lambda value: (
                value in DEVICES
                or (value.startswith("cuda:") and value[5:].isascii() and value[5:].isdigit())
            ),
            "auto, cpu, cuda, cuda:N or mps",
        ),
        metadata={"help": "Where policies train; auto: on a GPU where torch can use one."},
    )
    name_datasets: bool = attrs.field(
        default=False,
        metadata={
            "help": "Whether a published model's card may name clients and their datasets; ask "
            "their owners."
        },
    )
    amp: bool = attrs.field(
        default=False,
        metadata={
            "help": "Compute the loss in bfloat16 where that is safe (autocast): faster on GPUs, "
            "slower on most CPUs. Weights stay float32."
        },
    )
    gradient_accumulation: int = attrs.field(
        default=1,
        validator=ge(1),
        metadata={
            "help": "A step's gradient is added up over so many parts of its batch: as large a "
            "batch, in as many times less memory."
        },
    )
    cache_gb: float | None = attrs.field(
        default=None,
        validator=ge(0),
        metadata={
            "help": "Disk for what frozen weights make of each frame, in GB for all datasets "
            "together; 0: none is kept; none: what is free."
        },
    )
    uplink_mbps: float | None = attrs.field(
        default=None,
        validator=gt(0),
        metadata={
            "help": "Upload speed of a client in Mbit/s: says how long its update takes. With "
            "--dry-run, also counts the bytes of a round, which loads the policy."
        },
    )


INSTEAD_OF = {"local_steps": "local_epochs", "local_epochs": "local_steps"}
"""Of each of these values that is given, the one that must not be."""
