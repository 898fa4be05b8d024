"""What a reply may look like, before anything in it is read or written to disk."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from flwr.app import RecordDict

from zk0_core.errors import WireError
from zk0_core.tensors import Tensors
from zk0_core.wire.groups import array_groups, config_groups, metric_groups

GROUPS = ("update", "extra")
"""Names of the tensors that a reply may hold."""

PER_TENSOR = 4096
"""Bytes that a codec may take for one tensor beside its values: names, shapes, scales."""

OVERHEAD = 2**20
"""Bytes of a reply that are allowed for its header."""

MOST_INFLATED: ContextVar[int | None] = ContextVar("MOST_INFLATED", default=None)
"""How large a reply may become that is put together from pieces, in bytes; None for no limit."""


def most_bytes(params: Tensors, max_update_mb: float | None) -> int:
    """Return how large a reply may be, in bytes.

    Three times the parameters as float32, when no other limit is given: a codec may send a place
    beside each value, and the client half of a strategy as much again as the update.

    Args:
        params: The parameters that are exchanged.
        max_update_mb: The run file's limit.
    """
    if max_update_mb is not None:
        return int(max_update_mb * 10**6)
    values = sum(array.size for array in params.values())
    return 3 * 4 * values + PER_TENSOR * len(params) + OVERHEAD


def check_envelope(record: RecordDict, most: int) -> None:
    """Raise WireError unless `record` is a header of texts and known tensors, in `most` bytes."""
    if (size := size_of(record)) > most:
        raise WireError(
            f"sent {size} bytes, at most {most} are taken; see max_update_mb of the run file"
        )
    headers, groups = set(config_groups(record)), set(array_groups(record))
    unknown = sorted((headers - {"header"}) | (groups - set(GROUPS)) | set(metric_groups(record)))
    if unknown:
        raise WireError(f"sent what nobody asked for: {', '.join(unknown)[:200]}")
    for key, value in config_groups(record).get("header", {}).items():
        if not isinstance(value, str):
            raise WireError(f"{key[:40]} of the header is no text")


def size_of(record: RecordDict) -> int:
    """Return the bytes of all that `record` holds, names included."""
    arrays = sum(
        len(name) + len(array.data)
        for named in array_groups(record).values()
        for name, array in named.items()
    )
    others: list[Mapping[str, Any]] = [*config_groups(record).values()]
    others += [*metric_groups(record).values()]
    return arrays + sum(len(key) + _size(value) for other in others for key, value in other.items())


def _size(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, list):
        return sum(_size(entry) for entry in value)
    return 8
