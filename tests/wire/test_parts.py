"""Tensors as files: as they were, without a copy, and nothing that a file only claims."""

import json
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

from zk0_core.errors import WireError
from zk0_core.wire.parts import MOST_HEADER, MOST_TENSORS, read_part, write_parts


@pytest.mark.parametrize(
    "sent",
    [
        np.array(2.5, np.float32),
        np.zeros((0, 3), np.float32),
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.broadcast_to(np.float16(0.5), (2, 2)),
        np.array([True, False]),
        np.arange(3, dtype=">f4"),
    ],
    ids=["no dimension", "empty", "rows", "columns", "one value", "truth values", "big end first"],
)
def test_a_tensor_is_read_as_it_was_sent(sent: np.ndarray) -> None:
    (part,) = write_parts({"w": sent})
    read = read_part(part)["w"]
    np.testing.assert_array_equal(read, sent)
    assert (read.dtype, read.shape) == (sent.dtype.newbyteorder("="), sent.shape)
    np.testing.assert_array_equal(safetensors.numpy.load(part)["w"], sent)


def test_values_stay_where_their_bytes_are() -> None:
    (part,) = write_parts({"v": np.zeros(3, np.int8), "w": np.arange(4, dtype=np.float32)})
    read = read_part(part)["w"]
    assert np.shares_memory(read, np.frombuffer(part, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 1


def test_a_file_is_full_when_the_next_tensor_does_not_fit() -> None:
    sizes = {"a": 100, "b": 100, "c": 900, "d": 1, "e": 1}
    tensors = {name: np.zeros(size, np.uint8) for name, size in reversed(sizes.items())}
    parts = list(write_parts(tensors, most=200))
    assert [sorted(read_part(part)) for part in parts] == [["a", "b"], ["c"], ["d", "e"]]
    assert list(write_parts({})) == []


def test_tensors_without_number_are_read_too() -> None:
    value = np.zeros(1, np.float32)
    tensors = {f"{number:04}" + "n" * 800: value for number in range(MOST_TENSORS + 1)}
    parts = [read_part(part) for part in write_parts(tensors)]
    assert [len(part) for part in parts] == [MOST_TENSORS, 1]
    assert parts[0].keys() | parts[1].keys() == tensors.keys()


@pytest.mark.parametrize("dtype", ["U2", "complex64", "float128", "object"])
def test_what_is_no_number_is_not_sent(dtype: str) -> None:
    with pytest.raises(WireError, match=rf"^w has dtype .*{dtype}; BOOL, U8, .*, F64 travel$"):
        list(write_parts({"w": np.zeros(1, dtype)}))


def file(entries: object, values: bytes = b"") -> bytes:
    header = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(header).to_bytes(8, "little") + header + values


def entry(shape: tuple[int, ...], begin: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (b"abc", "3 bytes that are no safetensors file"),
        (file({})[:-1], "9 bytes that are no safetensors file"),
        (file(b" " * (MOST_HEADER + 1)), "a header of 4194305 bytes; at most 4194304 are read"),
        (file(b"nonsense"), "malformed header of a safetensors file: Expecting value: "),
        (file(b"\xff"), "malformed header of a safetensors file: 'utf-8' codec can't decode"),
        (file(b"[" * 10**5), "malformed header of a safetensors file: "),
        (file([]), "malformed header of a safetensors file: no object of JSON's"),
        (file({"w": 1}), "malformed header of a safetensors file: w: "),
        (
            file({"__metadata__": {"a": "b"}}),
            "malformed header of a safetensors file: __metadata__: required field missing",
        ),
        (file({"w": entry((1,), 0, 2, "BF16")}, bytes(2)), "w has dtype BF16; BOOL, U8, "),
        (file({"w": entry((2**30,), 0, 12)}, bytes(12)), "w claims 4294967296 bytes of values and"),
        (file({"w": entry((-1, -3), 0, 12)}, bytes(12)), r"w claims the shape \(-1, -3\)"),
        (file({"w": entry((0, 2**40, 2**40), 0, 0)}), "w claims a shape that no array has: "),
        (file({"w": entry((0,) * 65, 0, 0)}), "w claims a shape that no array has: "),
        (
            file({"w": entry((3,), 0, 12)}, bytes(8)),
            "w claims bytes 0 to 12; its file has 8 for values, of which 0 are other tensors'",
        ),
        (
            file({"v": entry((2,), 0, 8), "w": entry((2,), 4, 12)}, bytes(12)),
            "w claims bytes 4 to 12; its file has 12 for values, of which 8 are other tensors'",
        ),
        (file({"w": entry((1,), -4, 0)}, bytes(4)), "w claims bytes -4 to 0; "),
        (file({"w": entry((1,), 0, 4)}, bytes(6)), "2 bytes of values are no tensor's"),
    ],
)
def test_a_file_that_is_not_what_it_says(part: bytes, text: str) -> None:
    tracemalloc.start()
    with pytest.raises(WireError, match=f"^{text}"):
        read_part(part)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20
