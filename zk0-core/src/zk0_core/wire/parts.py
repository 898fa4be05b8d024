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
from zk0_core.strict import structured
from zk0_core.tensors import Tensors, as_arrays

PART_BYTES = 2**26
"""How large a file becomes; one tensor that is larger is a file by itself."""

MOST_TENSORS = 4096
"""How many tensors a file has."""

MOST_HEADER = 2**22
"""Bytes of a file's header that are read: a thousand for each tensor."""

DTYPES = {
    "BOOL": np.dtype(np.bool_),
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
"""What travels, by the format's names."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}

_LENGTH = 8
"""Bytes before the header, which say how long it is."""


@attrs.frozen
class _Entry:
    """What a file's header says of a tensor."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]
    """Where its values begin and end, counted from the header's end."""


def write_parts(tensors: Mapping[str, np.ndarray], most: int = PART_BYTES) -> Iterator[bytes]:
    """Yield `tensors`, in order of name, as files of some `most` bytes.

    Raises:
        WireError: naming a tensor whose dtype does not travel.
    """
    part: Tensors = {}
    size = 0
    for name, array in sorted(as_arrays(tensors).items()):
        if array.dtype.newbyteorder("<") not in _NAMES:
            raise WireError(f"{name} has dtype {array.dtype}; {_travels()}")
        if part and (size + array.nbytes > most or len(part) == MOST_TENSORS):
            yield _file(part)
            part, size = {}, 0
        part[name] = array
        size += array.nbytes
    if part:
        yield _file(part)


def _file(tensors: Tensors) -> bytes:
    """Return `tensors` as one file, the widest values first, so that all are aligned."""
    entries: dict[str, dict[str, Any]] = {}
    end = 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        array, begin = tensors[name], end
        end += array.nbytes
        dtype = _NAMES[array.dtype.newbyteorder("<")]
        entries[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (begin, end)}
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % _LENGTH)
    file = io.BytesIO()
    file.write(len(header).to_bytes(_LENGTH, "little") + header)
    for name in entries:
        array = tensors[name]
        values = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        file.write(values.reshape(-1).view(np.uint8).data)
    return file.getvalue()


def read_part(part: bytes) -> Tensors:
    """Return the tensors of a file, which lie where its bytes do: they can only be read.

    Raises:
        WireError: naming the tensor, if there is one, that is not what its file says.
    """
    header, start = _header(part)
    entries = {name: _entry(name, claims) for name, claims in header.items()}
    tensors: Tensors = {}
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, stop = entry.data_offsets
        dtype = DTYPES.get(entry.dtype)
        if dtype is None:
            raise WireError(f"{name} has dtype {entry.dtype}; {_travels()}")
        if any(side < 0 for side in entry.shape):
            raise WireError(f"{name} claims the shape {entry.shape}")
        if (claimed := math.prod(entry.shape) * dtype.itemsize) != stop - begin:
            raise WireError(f"{name} claims {claimed} bytes of values and has {stop - begin}")
        if begin != end or stop > len(part) - start:
            raise WireError(
                f"{name} claims bytes {begin} to {stop}; its file has {len(part) - start} for "
                f"values, of which {end} are other tensors'"
            )
        values = np.frombuffer(part, np.uint8, stop - begin, start + begin)
        try:
            tensors[name] = values.view(dtype).reshape(entry.shape)
        # Of no values at all, any number of sides of any length: NumPy has limits for both.
        except (ValueError, OverflowError) as problem:
            raise WireError(f"{name} claims a shape that no array has: {problem}") from None
        end = stop
    if end != len(part) - start:
        raise WireError(f"{len(part) - start - end} bytes of values are no tensor's")
    return tensors


def _header(part: bytes) -> tuple[dict[str, Any], int]:
    """Return what a file's header says of each tensor, and where the header ends."""
    length = int.from_bytes(part[:_LENGTH], "little")
    end = _LENGTH + length
    if len(part) < _LENGTH or end > len(part):
        raise WireError(f"{len(part)} bytes that are no safetensors file")
    if length > MOST_HEADER:
        raise WireError(f"a header of {length} bytes; at most {MOST_HEADER} are read")
    try:
        header = json.loads(part[_LENGTH:end])
    except (ValueError, RecursionError) as problem:
        raise WireError(f"malformed header of a safetensors file: {problem}") from None
    if not isinstance(header, dict):
        raise WireError("malformed header of a safetensors file: no object of JSON's")
    return header, end


def _entry(name: str, claims: Any) -> _Entry:
    try:
        return structured(claims, _Entry)
    except ValueError as problem:
        raise WireError(f"malformed header of a safetensors file: {name}: {problem}") from None


def _travels() -> str:
    return f"{', '.join(DTYPES)} travel"
