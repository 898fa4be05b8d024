"""What a client sends back in a round, to the byte: its update and figures, and nothing besides."""

import hashlib
import json
import math
import re

import numpy as np
import pytest
from flwr.app import Error, RecordDict
from flwr.common.serde import recorddict_to_proto

from tests.quadratic import Clients, Federate, Quadratic
from tests.wire.by_hand import parts_of
from zk0_core.history import RoundRecord
from zk0_core.plan import PluginChoice
from zk0_core.wire.packing import unpack

WEIGHTS = ["body.w", "head.w"]


def answers(
    federate: Federate, codec: str = "float32", strategy: str = "fedprox", target: float = 1.0
) -> tuple[Clients, RoundRecord, RecordDict]:
    """Return a federation of two clients, and what ann answers in its first round."""
    problems = {
        "ann": Quadratic([1.0, 2.0, 3.0], [target, -1.0, 0.5]),
        "bob": Quadratic([1.0, 1.0, 1.0], [0.0, 2.0, 1.0], examples=5),
    }
    clients = federate(problems, strategy, codec=PluginChoice("codec", codec))
    seen: list[RecordDict] = []

    def keep(content: RecordDict) -> RecordDict | Error:
        seen.append(content)
        return content

    clients.grid.forge["ann"] = keep
    record = clients.round()
    (content,) = seen
    return clients, record, content


def check_file(sent: bytes, expected: dict[str, tuple[int, int]]) -> None:
    """Check that a file of tensors has these, by how many values and bytes a value, and no more."""
    text, values = parts_of(sent)
    header = json.loads(text)
    assert text.rstrip(b" ") == json.dumps(header, separators=(",", ":")).encode()
    assert sorted(header) == sorted(expected)
    for name, (count, size) in expected.items():
        assert set(header[name]) == {"dtype", "shape", "data_offsets"}
        assert math.prod(header[name]["shape"]) == count
        begin, end = header[name]["data_offsets"]
        assert end - begin == count * size
    assert len(values) == sum(count * size for count, size in expected.values())


@pytest.mark.parametrize(
    ("codec", "strategy", "update", "extra"),
    [
        ("float32", "fedprox", {name: (3, 4) for name in WEIGHTS}, {}),
        ("bfloat16", "fedprox", {name: (3, 2) for name in WEIGHTS}, {}),
        (
            "int8",
            "fedprox",
            {f"int8:{name}": (3, 1) for name in WEIGHTS}
            | {f"scale:{name}": (1, 4) for name in WEIGHTS},
            {},
        ),
        (
            "float32",
            "scaffold",
            {name: (3, 4) for name in WEIGHTS},
            {name: (3, 4) for name in WEIGHTS},
        ),
    ],
)
def test_every_byte_of_an_answer(
    federate: Federate,
    codec: str,
    strategy: str,
    update: dict[str, tuple[int, int]],
    extra: dict[str, tuple[int, int]],
) -> None:
    """Tensors have as many values, of as many bytes, as the three trained weights ask for."""
    clients, record, content = answers(federate, codec, strategy)
    assert sorted(content) == ["extra", "header", "update"]
    for group, expected in (("update", update), ("extra", extra)):
        sent = b"".join(array.data for array in content[group].values())
        assert content["header"][group] == hashlib.sha256(sent).hexdigest()
        assert list(content[group]) == (["0"] if expected else [])
        if expected:
            check_file(sent, expected)
    if codec == "float32":
        moved = unpack(content["update"])
        assert sorted(moved) == WEIGHTS
        assert all(0 < np.abs(array).max() <= 5 * 0.05 * 1.001 for array in moved.values())

    header = content["header"]
    assert set(header) == {"type", "json", "update", "extra"}
    assert header["type"] == "RoundReport"
    report = json.loads(str(header["json"]))
    figures = {
        *("policy_loss", "prox_loss", "loss", "grad_norm"),
        *("seconds", "seconds_data", "seconds_compute"),
    }
    assert all(isinstance(report[name], float) for name in figures)
    order = json.loads(str(clients.grid.sent[0].content["header"]["json"]))
    assert {name: value for name, value in report.items() if name not in figures} == {
        "run": "test",
        "round": 1,
        "client": "ann",
        "nonce": order["nonce"],
        "dataset": "quadratic:ann",
        "examples": 8,
        "steps": 5,
        "lr": 0.05,
        "mu": order["mu"]["hi"],
        "start_loss": None,
        "epsilon": None,
    }

    # On the wire there is nothing besides but names, shapes, types and tags of Protocol Buffers.
    wire = recorddict_to_proto(content).SerializeToString(deterministic=True)
    arrays = [content[group][name] for group in ("update", "extra") for name in content[group]]
    texts = [str(header[key]) for key in ("json", "update", "extra")]
    for known in (*(array.data for array in arrays), *(text.encode() for text in texts)):
        assert known in wire
        wire = wire.replace(known, b"", 1)
    words = {word.decode() for word in re.findall(rb"[A-Za-z]{3,}", wire)}
    allowed = "update extra header json type RoundReport uint safetensors"
    assert words <= set(allowed.split(" "))
    assert len(wire) < 100 + 90 * len(arrays)
    assert record.clients[0].bytes_up == sum(len(array.data) for array in arrays)


def test_a_refusal_says_why_and_nothing_else(
    federate: Federate,
) -> None:
    _, record, content = answers(federate, target=math.nan)
    assert list(content) == ["header"]
    assert set(content["header"]) == {"type", "json"}
    said = json.loads(str(content["header"]["json"]))
    reason = "training diverged in round 1: body.w is not finite"
    assert said == {"client": "ann", "reason": reason, "usage": False}
    assert [(each.client, each.reason) for each in record.refused] == [("ann", reason)]
