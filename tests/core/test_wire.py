"""Messages, codecs and admission: what is refused, by what text."""

from pathlib import Path

import attrs
import numpy as np
import pytest
from flwr.app import Array, ArrayRecord

from tests.wire.by_hand import entry, file_of
from zk0_core.builtin.codec_float32 import Float32Codec
from zk0_core.errors import WireError
from zk0_core.plan import PluginChoice
from zk0_core.server.admission import Asked, admit, check_report
from zk0_core.span import Span
from zk0_core.tensors import Tensors
from zk0_core.wire.orders import ClientError, Recipe, RoundOrder, RoundReport
from zk0_core.wire.packing import (
    from_record,
    one_line,
    pack,
    pack_each,
    pack_files,
    tensors_from,
    to_record,
    unpack,
)
from zk0_core.wire.serialization import write_files
from zk0_core.wire.spool import read_record, write_record

PARAMS: Tensors = {"w": np.array([1.0, 2.0], np.float32)}
ORDER = RoundOrder(
    run="demo",
    round=2,
    client="left",
    recipe=Recipe(
        seed=0,
        policy=PluginChoice("policy", "smolvla-tiny"),
        strategy=PluginChoice("strategy", "fedprox", {"mu": 0.01}),
        codec=PluginChoice("codec", "float32"),
        batch_size=32,
        optimizer_state="keep",
        normalization="pooled",
        threads=1,
        device="cpu",
    ),
    statistics={},
    frozen="abc",
    local_steps=5,
    lr=Span(1e-3, 0.0, 0.0, 0.1),
    mu=Span.constant(0.01),
    boost=1.0,
    accepted_round=1,
    nonce="5eed",
)
REPORT = RoundReport(
    run="demo",
    round=2,
    client="left",
    nonce="5eed",
    dataset="local:left",
    examples=10,
    steps=5,
    policy_loss=0.5,
    prox_loss=0.1,
    loss=0.6,
    grad_norm=1.0,
    lr=1e-3,
    mu=0.01,
    seconds=1.0,
    seconds_data=0.1,
    seconds_compute=0.9,
)

ASKED = Asked(ORDER, PARAMS, Float32Codec(), frames=12)


def test_an_order_survives_the_wire() -> None:
    record = to_record(ORDER, params=pack(PARAMS), extra=pack({}))
    assert from_record(record, RoundOrder) == ORDER
    assert tensors_from(record, "params", "the server")["w"].tolist() == [1.0, 2.0]
    assert tensors_from(record, "extra", "the server") == {}


def test_a_changed_byte_is_a_hash_mismatch() -> None:
    record = to_record(REPORT, update=pack(PARAMS))
    record["update"] = pack({"w": np.array([1.0, 2.5], np.float32)}).arrays
    with pytest.raises(
        WireError, match=r"hash mismatch in 'update' from left: sent \w+…, received"
    ):
        tensors_from(record, "update", "left")


def test_a_missing_group_and_another_type_are_named() -> None:
    record = to_record(REPORT)
    with pytest.raises(WireError, match="left sent no tensors 'update'"):
        tensors_from(record, "update", "left")
    with pytest.raises(WireError, match="expected a RoundOrder, got a RoundReport"):
        from_record(record, RoundOrder)


def test_half_of_a_character_is_no_text() -> None:
    """JSON can hold one; the first file that it would be written to cannot."""
    record = to_record(ClientError(client="ann", reason="\ud800", usage=False))
    with pytest.raises(WireError, match="half of a character, which no file takes"):
        from_record(record, ClientError)
    assert one_line("a\ud800 \n b") == "a? b"


def test_tensors_that_are_one_object_are_packed_once() -> None:
    shared = {"w": np.ones(2, np.float32)}
    packed = pack_each({"left": shared, "right": shared, "new": {}})
    assert packed["left"] is packed["right"]
    assert packed["left"].hash == pack(shared).hash
    assert packed["new"].hash == pack({}).hash


def test_a_spooled_record_comes_back_whole(tmp_path: Path) -> None:
    record = to_record(REPORT, update=pack(PARAMS), extra=pack({}))
    path = write_record(tmp_path / "left.spool", record)
    back = read_record(path)
    assert from_record(back, RoundReport) == REPORT
    assert tensors_from(back, "update", "left")["w"].tolist() == [1.0, 2.0]
    assert tensors_from(back, "extra", "left") == {}
    assert not path.exists()


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ({}, r"tensors missing: \['w'\], unknown: none"),
        ({"w": PARAMS["w"], "v": PARAMS["w"]}, r"tensors missing: none, unknown: \['v'\]"),
        ({"w": np.zeros((1, 2), np.float32)}, r"w has shape \(1, 2\), expected \(2,\)"),
        ({"w": np.zeros(2)}, "w is float64, expected float32"),
        ({"w": np.array([np.nan, 0], np.float32)}, "NaN or infinity in w"),
        ({"w": np.array([0, -np.inf], np.float32)}, "NaN or infinity in w"),
        (
            {"w": np.array([1, -2e18], np.float32)},
            r"a value of -2e\+18 in w; none may exceed 1e\+18",
        ),
    ],
)
def test_unusable_updates_are_refused_by_name(encoded: Tensors, text: str) -> None:
    with pytest.raises(WireError, match=text):
        admit(REPORT, encoded, {}, ASKED)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"examples": 0}, "update counts 0 examples; at least 1 is needed"),
        ({"round": 1}, "report is for round 1, the order was for 2"),
        ({"client": "right"}, "report is for client 'right', the order was for 'left'"),
        ({"run": "old"}, "report is for run 'old', the order was for 'demo'"),
        (
            {"nonce": "feed"},
            "report answers another order of round 2: its nonce is not this one's",
        ),
        ({"steps": 4}, "report is of 4 steps, the order was for 5"),
        (
            {"examples": 13},
            "update counts 13 examples; the client said before training that it has 12 frames",
        ),
        ({"loss": -1e19}, r"loss is -1e\+19; no figure may exceed 1e\+18"),
    ],
)
def test_reports_of_something_else_are_refused(change: dict[str, object], text: str) -> None:
    report = attrs.evolve(REPORT, **change)  # type: ignore[arg-type]  # fields by name
    with pytest.raises(WireError, match=text):
        check_report(report, ASKED)


def test_a_good_update_is_decoded() -> None:
    update = admit(REPORT, PARAMS, {}, ASKED)
    assert (update.client, update.examples) == ("left", 10)
    assert update.delta["w"].tolist() == [1.0, 2.0]


def test_tensors_in_several_files_are_read_together(tmp_path: Path) -> None:
    tensors = {name: np.full(2, place, np.float32) for place, name in enumerate("abc")}
    packed = pack_files(write_files(tensors, most=1))
    path = write_record(tmp_path / "left.spool", to_record(REPORT, update=packed))
    found = tensors_from(read_record(path), "update", "left")
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [0.0, 0.0],
        "b": [1.0, 1.0],
        "c": [2.0, 2.0],
    }


def test_more_tensors_than_anybody_has_are_refused() -> None:
    files = (
        file_of({f"{file}.{number}": entry([0], 0, 0) for number in range(1024)})
        for file in range(65)
    )
    with pytest.raises(WireError, match=r"^more than 65536 tensors$"):
        unpack(pack_files(files).arrays)


def test_only_safetensors_are_read() -> None:
    with pytest.raises(
        WireError, match=r"tensors are serialized as 'numpy\.ndarray', not as safetensors"
    ):
        unpack(ArrayRecord({"w": Array(np.zeros(2, np.float32))}))
