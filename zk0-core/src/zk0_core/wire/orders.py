"""The typed messages between server and clients: the headers, without the tensors beside them."""

import attrs

from zk0_core.data import DatasetSchema, Episode, Statistics
from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.span import Span
from zk0_core.validators import Check, between, ge, one_of

WIRE_VERSION = 3
"""Raised when messages change; both sides must have the same."""

QUERY_SCHEMA = "query.schema"
TRAIN = "train"

MOST_TEXT = 4096
"""Characters of a dataset's address, which every round's record repeats, and of why a client cannot
take part."""

MOST_BATCH, MOST_STEPS, MOST_RATE = 2**16, 10**7, 1e6
"""Frames of a step, steps of a round, and lr or mu, beyond which an order is a mistake or worse."""

_RATE = Check(
    lambda span: min(span.hi, span.lo) >= 0 and max(span.hi, span.lo) <= MOST_RATE,
    f"between 0 and {MOST_RATE:g}",
)
_TEXT = Check(lambda text: len(text) <= MOST_TEXT, f"at most {MOST_TEXT} characters long")


@attrs.frozen(kw_only=True)
class Recipe:
    """What all clients of a run train alike; a client keeps its session for as long as it holds."""

    seed: int = attrs.field(validator=ge(0))
    policy: PluginChoice
    strategy: PluginChoice
    codec: PluginChoice
    batch_size: int = attrs.field(validator=between(1, MOST_BATCH))
    optimizer_state: str = attrs.field(validator=one_of("keep", "reset"))
    normalization: str = attrs.field(validator=one_of("pooled", "per-client"))
    threads: int = attrs.field(validator=between(1, 1024))
    device: str
    amp: bool = False
    gradient_accumulation: int = attrs.field(default=1, validator=between(1, MOST_BATCH))
    cache_bytes: int | None = None
    """Disk for the caches of one dataset; None for what is free."""
    wire: int = WIRE_VERSION


@attrs.frozen(kw_only=True)
class SchemaReport:
    """A client's answer in preflight: all that it tells of its data."""

    client: str
    dataset: str = attrs.field(validator=_TEXT)
    schema: DatasetSchema
    statistics: Statistics
    """Normalisation sums over the episodes it trains on."""
    episodes: tuple[Episode, ...]
    frames: int = attrs.field(validator=ge(1))


@attrs.frozen(kw_only=True)
class RoundOrder:
    """What one client does in one round: the only source of what it trains with."""

    run: str = attrs.field(validator=_TEXT)
    round: int = attrs.field(validator=ge(0))
    client: str
    recipe: Recipe
    statistics: Statistics
    """Of all clients together; a client uses its own where the recipe says so."""
    frozen: str
    """Fingerprint of the frozen weights; a client that has others refuses."""
    local_steps: int = attrs.field(validator=between(1, MOST_STEPS))
    lr: Span = attrs.field(validator=_RATE)
    mu: Span = attrs.field(validator=_RATE)
    boost: float
    accepted_round: int = attrs.field(validator=ge(0))
    """Round of this client's last accepted update: its state goes on from there; 0 for none."""
    nonce: str
    """Drawn for this order alone; the report repeats it, so that no older one passes for it."""
    start_loss: bool = False
    """Whether the report must say the loss before training."""


def order_of_round_0(
    plan: RunPlan,
    *,
    run: str,
    recipe: Recipe,
    statistics: Statistics,
    frozen: str,
    start_loss: bool = False,
) -> RoundOrder:
    """Return the order of round 0, from which those of all rounds and clients are made."""
    return RoundOrder(
        run=run,
        round=0,
        client="",
        recipe=recipe,
        statistics=statistics,
        frozen=frozen,
        local_steps=plan.local_steps,
        lr=Span.constant(plan.lr),
        mu=Span.constant(0.0),
        boost=1.0,
        accepted_round=0,
        nonce="",
        start_loss=start_loss,
    )


@attrs.frozen(kw_only=True)
class ClientError:
    """A client's answer when it cannot do what it was asked."""

    client: str
    reason: str
    usage: bool
    """Whether what was asked for cannot be done as asked, rather than having gone wrong."""


@attrs.frozen(kw_only=True)
class RoundReport:
    """What one client did in one round; its update travels beside it."""

    run: str
    round: int
    client: str
    nonce: str
    """That of the order."""
    dataset: str = attrs.field(validator=_TEXT)
    examples: int
    steps: int
    policy_loss: float
    prox_loss: float
    loss: float
    grad_norm: float
    lr: float
    mu: float
    seconds: float
    seconds_data: float
    seconds_compute: float
    start_loss: float | None = None
    """Loss before training, where the order asks for it."""
    epsilon: float | None = None
    """What the client has spent of its privacy, with this update; None where it adds no noise."""
