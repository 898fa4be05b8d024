"""Named tensors as files of the safetensors format: few and large, each with whole tensors.

Every object of a Flower message costs its SuperLink the same work whatever its size, and a tensor
by itself is two. Files are written and read here, since the library copies all values, twice when
it writes: a server has room for one update at a time. What a file claims is checked before memory
is taken, as it was sent by somebody else.

Source: https://huggingface.co/docs/safetensors, "Format".
"""

import io
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from zk0_core.errors import WireError
from zk0_core.tensors import Tensors, as_arrays

FILE_BYTES = 2**26
"""Bytes of values that a file has at most; one tensor that is larger is a file by itself."""

MOST_TENSORS = 1024
"""How many tensors a file has."""

MOST_HEADER = 2**22
"""Bytes of a file's header: 4,096 for each tensor."""

DTYPES = {
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
"""What travels, by the format's names."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}

_LENGTH = 8
"""Bytes before the header, which say how long it is."""

_MOST_SIDES = 64
"""NumPy's limit; and what is multiplied stays small."""


@attrs.frozen
class _Entry:
    """What a file's header says of a tensor."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    """Where its values begin, counted from the header's end."""
    end: int


def write_files(tensors: Mapping[str, np.ndarray], most: int = FILE_BYTES) -> Iterator[bytes]:
    """Yield `tensors`, in order of name, as files.

    Args:
        tensors: By name.
        most: Bytes of values that a file has at most, unless one tensor has more.

    Raises:
        WireError: naming a tensor whose dtype does not travel, or if their names are too long.
    """
    together: Tensors = {}
    size = 0
    for name, array in sorted(as_arrays(tensors).items()):
        if _stored(array) not in _NAMES:
            travel = ", ".join(map(str, _NAMES))
            raise WireError(f"{name} has dtype {array.dtype}; {travel} travel")
        if together and (size + array.nbytes > most or len(together) == MOST_TENSORS):
            yield _file(together)
            together, size = {}, 0
        together[name] = array
        size += array.nbytes
    if together:
        yield _file(together)


def _stored(array: np.ndarray) -> np.dtype:
    """Return the dtype of an array's values in a file: little end first."""
    return array.dtype.newbyteorder("<")


def _file(tensors: Tensors) -> bytes:
    """Return `tensors` as one file, the widest values first, so that all are aligned."""
    entries: dict[str, dict[str, Any]] = {}
    end = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        array, begin = tensors[name], end
        end += array.nbytes
        entries[name] = {
            "dtype": _NAMES[_stored(array)],
            "shape": array.shape,
            "data_offsets": (begin, end),
        }
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _LENGTH)
    if len(header) > MOST_HEADER:
        raise WireError(
            f"names and shapes of {len(entries)} tensors take {len(header)} bytes; at most "
            f"{MOST_HEADER} travel: shorten the names"
        )
    file = io.BytesIO()
    file.write(len(header).to_bytes(_LENGTH, "little") + header)
    for name in entries:
        values = np.ascontiguousarray(tensors[name], _stored(tensors[name]))
        file.write(values.reshape(-1).view(np.uint8).data)
    return file.getvalue()


def read_file(file: bytes) -> Tensors:
    """Return the tensors of a file, which lie where its bytes do: they can only be read.

    Raises:
        WireError: naming the tensor, if there is one, that is not what its file says.
    """
    entries, start = _header(file)
    size = len(file) - start
    tensors: Tensors = {}
    taken = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        dtype = DTYPES.get(entry.dtype)
        if dtype is None:
            raise WireError(f"{name} has dtype {entry.dtype[:20]!r}; {', '.join(DTYPES)} travel")
        length = entry.end - entry.begin
        if (claimed := math.prod(entry.shape) * dtype.itemsize) != length:
            raise WireError(f"{name} claims {claimed} bytes of values and has {length}")
        if entry.begin != taken or entry.end > size:
            raise WireError(
                f"{name} claims bytes {entry.begin} to {entry.end}; its file has {size} for "
                f"values, of which {taken} are other tensors'"
            )
        values = np.frombuffer(file, np.uint8, length, start + entry.begin)
        try:
            tensors[name] = values.view(dtype).reshape(entry.shape)
        # Of no values at all, sides of any length: NumPy has a limit.
        except (ValueError, OverflowError) as problem:
            raise WireError(f"{name} claims a shape that no array has: {problem}") from None
        taken = entry.end
    if taken != size:
        raise WireError(f"{size - taken} bytes of values are no tensor's")
    return tensors


def _header(file: bytes) -> tuple[dict[str, _Entry], int]:
    """Return what a file's header says of each tensor, and where the header ends."""
    length = int.from_bytes(file[:_LENGTH], "little")
    end = _LENGTH + length
    if len(file) < _LENGTH or end > len(file):
        raise WireError(f"{len(file)} bytes that are no safetensors file")
    if length > MOST_HEADER:
        raise WireError(f"a header of {length} bytes; at most {MOST_HEADER} are read")
    try:
        header = json.loads(file[_LENGTH:end].decode(), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as problem:
        raise WireError(f"malformed header of a safetensors file: {problem}") from None
    if not isinstance(header, dict):
        raise WireError("malformed header of a safetensors file: no object of JSON's")
    if len(header) > MOST_TENSORS:
        raise WireError(f"a file of {len(header)} tensors; at most {MOST_TENSORS} are read")
    return {name: _entry(name, claims) for name, claims in header.items()}, end


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _entry(name: str, claims: Any) -> _Entry:
    """Return what a header's entry says, looked at one by one: a library would list all faults."""
    match claims:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [begin, end]} if (
            len(claims) == 3
            and len(shape) <= _MOST_SIDES
            and all(type(size) is int and 0 <= size < 2**63 for size in (*shape, begin, end))
            # Errors name it, and are one line.
            and name.isprintable()
        ):
            return _Entry(dtype, tuple(shape), begin, end)
    raise WireError(f"malformed header of a safetensors file: {name[:80]!r} is described wrongly")
