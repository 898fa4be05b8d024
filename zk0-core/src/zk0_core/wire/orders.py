"""The typed messages between server and clients, and their form as Flower records.

A message is a header of typed fields, as JSON, and named tensors. The header carries the SHA-256
of the tensors as sent; the receiver checks it before it uses a byte.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from zk0_core.data import DatasetSchema, Episode, Statistics
from zk0_core.errors import WireError
from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.span import Span
from zk0_core.strict import structured, unstructured
from zk0_core.tensors import Tensors, as_arrays, fingerprint
from zk0_core.validators import Check, between, ge, one_of
from zk0_core.wire.groups import array_groups, config_groups
from zk0_core.wire.npy import read_array

WIRE_VERSION = 1
"""Raised when messages change; both sides must have the same."""

QUERY_SCHEMA = "query.schema"
TRAIN = "train"

MOST_SHOWN = 500
"""Characters of what is wrong with a header that an error shows: it was sent by somebody else."""

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

    run: str
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


@attrs.frozen
class Packed:
    """Named tensors as Flower sends them, with their hash: packed once, sent to many."""

    arrays: ArrayRecord
    hash: str


def pack(tensors: Tensors) -> Packed:
    """Return `tensors` packed for the wire."""
    packed = {name: Array(array) for name, array in sorted(as_arrays(tensors).items())}
    return Packed(ArrayRecord(packed), fingerprint(tensors))


def pack_each(tensors: Mapping[str, Tensors]) -> dict[str, Packed]:
    """Return every client's tensors packed; those that are one object are packed once."""
    packed: dict[int, Packed] = {}
    for own in tensors.values():
        if id(own) not in packed:
            packed[id(own)] = pack(own)
    return {client: packed[id(own)] for client, own in tensors.items()}


def to_record(header: Any, **groups: Packed) -> RecordDict:
    """Return `header` and groups of named tensors as one Flower record, hashes included."""
    record = RecordDict()
    for group, packed in groups.items():
        record[group] = packed.arrays
    record["header"] = ConfigRecord(
        {
            "type": type(header).__name__,
            "json": json.dumps(unstructured(header), allow_nan=False),
            **{group: packed.hash for group, packed in groups.items()},
        }
    )
    return record


def one_line(text: str, most: int = MOST_SHOWN) -> str:
    """Return the first `most` characters of `text`, which somebody else wrote, as one line."""
    return " ".join(text[:most].split())


def header_type(record: RecordDict) -> str:
    """Return the name of the header's type; empty when there is no header."""
    header = config_groups(record).get("header")
    return str(header.get("type", "")) if header else ""


def from_record[Header](record: RecordDict, kind: type[Header]) -> Header:
    """Return the header of `record`, which must be a `kind`.

    Raises:
        WireError: if it is missing, of another type, or has missing, unknown or mistyped fields.
    """
    try:
        header = config_groups(record)["header"]
        if header_type(record) != kind.__name__:
            raise WireError(f"expected a {kind.__name__}, got a {header_type(record)}")
        return structured(json.loads(str(header["json"])), kind)
    except KeyError as missing:
        raise WireError(f"malformed {kind.__name__}: it has no {missing.args[0]}") from None
    except (ValueError, RecursionError) as problem:
        text = " ".join((str(problem) or type(problem).__name__).split())
        raise WireError(f"malformed {kind.__name__}: {text[:MOST_SHOWN]}") from problem


def tensors_from(record: RecordDict, group: str, sender: str) -> Tensors:
    """Return the tensors of `group`, after checking their hash.

    Raises:
        WireError: if the group is missing or its bytes are not those that `sender` hashed.
    """
    try:
        arrays = array_groups(record)[group]
        expected = config_groups(record)["header"][group]
    except KeyError as problem:
        raise WireError(f"{sender} sent no tensors {group!r}") from problem
    tensors = {name: read_array(name, array) for name, array in arrays.items()}
    if (found := fingerprint(tensors)) != expected:
        raise WireError(
            f"hash mismatch in {group!r} from {sender}: "
            f"sent {str(expected)[:12]}…, received {found[:12]}…"
        )
    return tensors


def bytes_in(record: RecordDict) -> int:
    """Return the bytes that the tensors of `record` take on the wire."""
    return sum(
        len(array.data) for arrays in array_groups(record).values() for array in arrays.values()
    )
