"""Tensors as files: as they were, without a copy, and nothing that a file only claims."""

import tracemalloc

import numpy as np
import pytest
import safetensors.numpy

from tests.wire.by_hand import entry, file_of
from zk0_core.errors import WireError
from zk0_core.wire.serialization import MOST_HEADER, MOST_TENSORS, read_file, write_files


@pytest.mark.parametrize(
    "sent",
    [
        np.array(2.5, np.float32),
        np.zeros((0, 3), np.float32),
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.broadcast_to(np.float16(0.5), (2, 2)),
        np.arange(3, dtype=">f4"),
    ],
    ids=["no dimension", "empty", "rows", "columns", "one value", "big end first"],
)
def test_a_tensor_is_read_as_it_was_sent(sent: np.ndarray) -> None:
    (file,) = write_files({"w": sent})
    read = read_file(file)["w"]
    np.testing.assert_array_equal(read, sent)
    assert (read.dtype, read.shape) == (sent.dtype.newbyteorder("="), sent.shape)
    np.testing.assert_array_equal(safetensors.numpy.load(file)["w"], sent)


def test_values_stay_where_their_bytes_are() -> None:
    (file,) = write_files({"v": np.zeros(3, np.int8), "w": np.arange(4, dtype=np.float32)})
    read = read_file(file)["w"]
    assert np.shares_memory(read, np.frombuffer(file, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 1


def test_a_file_is_full_when_the_next_tensor_does_not_fit() -> None:
    sizes = {"a": 100, "b": 100, "c": 900, "d": 1, "e": 1}
    tensors = {name: np.zeros(size, np.uint8) for name, size in reversed(sizes.items())}
    files = list(write_files(tensors, most=200))
    assert [sorted(read_file(file)) for file in files] == [["a", "b"], ["c"], ["d", "e"]]
    assert list(write_files({})) == []


def test_tensors_without_number_are_read_too() -> None:
    value = np.zeros(1, np.float32)
    tensors = {f"{number:04}" + "n" * 800: value for number in range(MOST_TENSORS + 1)}
    files = [read_file(file) for file in write_files(tensors)]
    assert [len(file) for file in files] == [MOST_TENSORS, 1]
    assert files[0].keys() | files[1].keys() == tensors.keys()


@pytest.mark.parametrize("dtype", ["U2", "bool", "complex64", "float128", "object"])
def test_what_is_no_number_is_not_sent(dtype: str) -> None:
    with pytest.raises(WireError, match=rf"^w has dtype .*{dtype}; uint8, uint16, .*64 travel$"):
        list(write_files({"w": np.zeros(1, dtype)}))


def test_names_that_nobody_reads_are_not_sent() -> None:
    tensors = {"n" * 2**22: np.zeros(1, np.float32)}
    with pytest.raises(WireError, match=r"^names and shapes of 1 tensors take \d+ bytes; at most "):
        list(write_files(tensors))


MALFORMED = "malformed header of a safetensors file: "


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (b"abc", "3 bytes that are no safetensors file"),
        (file_of({})[:-1], "9 bytes that are no safetensors file"),
        (file_of(b" " * (MOST_HEADER + 1)), "a header of 4194305 bytes; at most 4194304 are read"),
        (file_of(b"nonsense"), f"{MALFORMED}Expecting value: "),
        (file_of(b"\xff"), f"{MALFORMED}'utf-8' codec can't decode"),
        (file_of("{}".encode("utf-16")), f"{MALFORMED}'utf-8' codec can't decode"),
        (file_of(b"[" * 10**5), MALFORMED),
        (file_of([]), f"{MALFORMED}no object of JSON's"),
        (file_of({"w": 1}), f"{MALFORMED}'w' is described wrongly"),
        (file_of({"__metadata__": {"a": "b"}}), f"{MALFORMED}'__metadata__' is described wrongly"),
        (file_of({"w": entry([1], 0, 4) | {"a": 1}}, bytes(4)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry("", 0, 4)}, bytes(4)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([True], 0, 4)}, bytes(4)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([1.0], 0, 4)}, bytes(4)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([2**63], 0, 4)}, bytes(4)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([-1, -3], 0, 12)}, bytes(12)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([1], -4, 0)}, bytes(4)), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([0] * 65, 0, 0)}), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([""] * 10**5, 0, 0)}), f"{MALFORMED}'w' is described"),
        (file_of({"w": entry([2**62] * 10**5 + [0], 0, 0)}), f"{MALFORMED}'w' is described"),
        (file_of({"w\nv": entry([], 0, 4)}, bytes(4)), rf"{MALFORMED}'w\\nv' is described"),
        (file_of({"\ud800": entry([], 0, 4)}, bytes(4)), rf"{MALFORMED}'\\ud800' is described"),
        (
            file_of(b'{"w": {"a": 1, "a": 2}}'),
            f"{MALFORMED}a name is there twice",
        ),
        (
            file_of({f"{number}": entry([0], 0, 0) for number in range(MOST_TENSORS + 1)}),
            "a file of 1025 tensors; at most 1024 are read",
        ),
        (file_of({"w": entry([1], 0, 2, "BF16")}, bytes(2)), "w has dtype 'BF16'; U8, U16, "),
        (file_of({"w": entry([2], 0, 2, "BOOL")}, bytes(2)), "w has dtype 'BOOL'; U8, U16, "),
        (
            file_of({"w": entry([2**30], 0, 12)}, bytes(12)),
            "w claims 4294967296 bytes of values and has 12",
        ),
        (
            file_of({"w": entry([2**62] * 64, 0, 4)}, bytes(4)),
            f"w claims {2**3970} bytes of values and has 4",
        ),
        (file_of({"w": entry([0, 2**40, 2**40], 0, 0)}), "w claims a shape that no array has: "),
        (
            file_of({"w": entry([3], 0, 12)}, bytes(8)),
            "w claims bytes 0 to 12; its file has 8 for values, of which 0 are other tensors'",
        ),
        (
            file_of({"v": entry([2], 0, 8), "w": entry([2], 4, 12)}, bytes(12)),
            "w claims bytes 4 to 12; its file has 12 for values, of which 8 are other tensors'",
        ),
        (file_of({"w": entry([1], 0, 4)}, bytes(6)), "2 bytes of values are no tensor's"),
    ],
)
def test_a_file_that_is_not_what_it_says(file: bytes, text: str) -> None:
    """It is refused, and takes little more memory than it has bytes."""
    tracemalloc.start()
    with pytest.raises(WireError, match=f"^{text}"):
        read_file(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20 + 4 * len(file)
