"""What is refused before a value of it is looked at."""

import io

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from tests.robustness.forging import claiming, shaped
from zk0_core.errors import WireError
from zk0_core.server.envelope import check_envelope, most_bytes
from zk0_core.wire.npy import read_array


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda record: record.__setitem__("more", ArrayRecord({"w": Array(np.zeros(1))})),
            "sent what nobody asked for: more",
        ),
        (
            lambda record: record.__setitem__("note", ConfigRecord({"a": "b"})),
            "sent what nobody asked for: note",
        ),
        (
            lambda record: record["header"].__setitem__("json", b"bytes"),
            "json of the header is no text",
        ),
        (lambda record: None, None),
    ],
)
def test_envelopes(change, text) -> None:
    record = RecordDict({"header": ConfigRecord({"type": "RoundReport", "json": "{}"})})
    record["update"] = ArrayRecord({"w": Array(np.zeros(2, np.float32))})
    change(record)
    if text is None:
        check_envelope(record, 10_000)
        return
    with pytest.raises(WireError, match=text):
        check_envelope(record, 10_000)


def test_the_limit_of_a_reply_is_an_option() -> None:
    params = {"w": np.zeros((2, 3), np.float32)}
    assert most_bytes(params, 1.5) == 1_500_000
    # 12 bytes for each of 6 values, 4096 for the tensor, 2²⁰ for the header.
    assert most_bytes(params, None) == 72 + 4096 + 2**20


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (claiming(4), "w claims 4294967296 bytes of values and holds 12"),
        (Array("float32", (3,), "numpy.ndarray", b"abc"), "w is no array of NumPy's: "),
        (Array("float32", (3,), "pickle", b""), "w is no array of NumPy's: serialized as 'pickle'"),
        (Array(np.array(["text"])), "w has dtype <U4; only numbers travel"),
        (shaped((0, 2**40, 2**40)), "w claims a shape that no array has: "),
        (shaped((0,) * 65), "w claims a shape that no array has: "),
        (
            Array("float32", (1, 3), "numpy.ndarray", Array(np.zeros(3, np.float32)).data),
            r"w is announced as float32 \(1, 3\) and is float32 \(3,\)",
        ),
    ],
)
def test_arrays_that_are_not_what_they_say(array, text) -> None:
    with pytest.raises(WireError, match=text):
        read_array("w", array)


def test_an_array_of_objects_is_never_read() -> None:
    file = io.BytesIO()
    np.save(file, np.array([object], dtype=object), allow_pickle=True)
    with pytest.raises(WireError, match="w has dtype object; only numbers travel"):
        read_array("w", Array("object", (1,), "numpy.ndarray", file.getvalue()))
