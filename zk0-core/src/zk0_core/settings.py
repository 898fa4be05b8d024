"""What was asked for, before it is resolved: one layer of settings, and layers on each other.

A preset, a run file and the flags of a command are one layer each. What a layer doesn't say is
None, and the layer below decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from zk0_core.options import Check, above_up_to, between, ge, gt, one_of

DEVICES = ("cpu", "cuda", "mps")


@attrs.frozen
class Choice:
    """A plugin that is asked for by name, and options as written."""

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    origin: str = ""
    """Who supplied the name: a file, a flag, a preset."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Option to who supplied it."""


@attrs.frozen
class ClientSetting:
    """A client that is asked for; without a name, one is made from the dataset's URI."""

    dataset: str
    name: str = ""
    rename: Mapping[str, str] = attrs.field(factory=dict)
    origin: str = ""
    epsilon: float | None = None


@attrs.frozen
class EvaluationSetting:
    """An evaluation dataset and its evaluator."""

    dataset: str
    evaluator: Choice
    origin: str = ""
    rename: Mapping[str, str] = attrs.field(factory=dict)


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
        metadata={"help": "Worker processes; 0: one per core. Results don't depend on it."},
    )
    threads: int = attrs.field(
        default=1, validator=between(1, 1024), metadata={"help": "Threads of a client."}
    )
    device: str = attrs.field(
        default="cpu",
        validator=Check(
            lambda value: (
                value in DEVICES
                or (value.startswith("cuda:") and value[5:].isascii() and value[5:].isdigit())
            ),
            "cpu, cuda, cuda:N or mps",
        ),
        metadata={"help": "Where policies train."},
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


@attrs.frozen(kw_only=True)
class Settings:
    """One layer of settings."""

    origin: str
    """Who supplied them, for errors: a file's path, "preset four-regions", "flags"."""
    values: Mapping[str, Any] = attrs.field(factory=dict)
    """Fields of RunValues that are given."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Field of `values` to who supplied it."""
    policy: Choice | None = None
    strategy: Choice | None = None
    codec: Choice | None = None
    schedulers: tuple[Choice, ...] | None = None
    mu_schedulers: tuple[Choice, ...] | None = None
    reporters: tuple[Choice, ...] | None = None
    clients: tuple[ClientSetting, ...] | None = None
    evaluations: tuple[EvaluationSetting, ...] | None = None
    disabled: tuple[str, ...] = ()
    """Plugins that are not to be loaded."""


def merged(below: Settings, above: Settings) -> Settings:
    """Return `below`, overruled by what `above` says.

    Lists are replaced whole. A plugin that both layers choose keeps the options that the lower one
    gave it. A new strategy takes none of the mu schedulers that were chosen for another one. Of two
    values that exclude each other the upper layer's stays.
    """
    overruled = {INSTEAD_OF[name] for name in above.values if name in INSTEAD_OF} - {*above.values}
    lower = {name: value for name, value in below.values.items() if name not in overruled}
    mu_schedulers = _chosen_list(below.mu_schedulers, above.mu_schedulers)
    if above.mu_schedulers is None and _other(below.strategy, above.strategy):
        mu_schedulers = None
    return Settings(
        origin=above.origin,
        values={**lower, **above.values},
        origins={**below.origins, **above.origins},
        policy=_chosen(below.policy, above.policy),
        strategy=_chosen(below.strategy, above.strategy),
        codec=_chosen(below.codec, above.codec),
        schedulers=_chosen_list(below.schedulers, above.schedulers),
        mu_schedulers=mu_schedulers,
        reporters=_chosen_list(below.reporters, above.reporters),
        clients=_given(above.clients, below.clients),
        evaluations=_given(above.evaluations, below.evaluations),
        disabled=(*below.disabled, *above.disabled),
    )


def with_options_of(choice: Choice, others: Sequence[Choice]) -> Choice:
    """Return `choice`, on the options that the first of `others` with its name has."""
    for other in others:
        if other.name == choice.name:
            return attrs.evolve(
                choice,
                options={**other.options, **choice.options},
                origins={**other.origins, **choice.origins},
            )
    return choice


def _given[T](above: T | None, below: T | None) -> T | None:
    return below if above is None else above


def _other(below: Choice | None, above: Choice | None) -> bool:
    return above is not None and (below is None or below.name != above.name)


def _chosen(below: Choice | None, above: Choice | None) -> Choice | None:
    if above is None or below is None:
        return _given(above, below)
    return with_options_of(above, [below])


def _chosen_list(
    below: tuple[Choice, ...] | None, above: tuple[Choice, ...] | None
) -> tuple[Choice, ...] | None:
    if above is None or below is None:
        return _given(above, below)
    return tuple(with_options_of(choice, below) for choice in above)
