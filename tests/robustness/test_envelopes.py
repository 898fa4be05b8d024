"""What is refused before a value of it is looked at."""

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from zk0_core.errors import WireError
from zk0_core.server.envelope import check_envelope, most_bytes


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
