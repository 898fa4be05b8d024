"""Preflight of a run: what a client tells of its data, to the byte, and what it refuses."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest
from flwr.app import Message, RecordDict
from recordings import JOINTS, TOP, WRIST, Recording, write_v3

from zk0_core.engines._flower import become_task, client_context
from zk0_core.engines.apps import client_app, recipe_of
from zk0_core.errors import DataError
from zk0_core.plan import ClientPlan
from zk0_core.server.preflight import check_alike
from zk0_core.testing import examples
from zk0_core.wire.orders import QUERY_SCHEMA, ClientError, SchemaReport
from zk0_core.wire.packing import from_record, header_type, to_record

RECORDING = Recording()
NODE = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_v3(tmp_path_factory.mktemp("recordings") / "desk", RECORDING)


def answer(address: str, place: Path) -> RecordDict:
    """Return what a client with the dataset at `address` sends back when it is asked."""
    become_task(NODE)
    question = to_record(recipe_of(examples.plan()))
    message = Message(question, dst_node_id=NODE, message_type=QUERY_SCHEMA)
    app = client_app({0: ClientPlan("ann", address)}, place)
    return app(message=message, context=client_context(NODE, 0)).content


def report(address: str, place: Path) -> SchemaReport:
    return from_record(answer(address, place), SchemaReport)


def test_every_byte_that_a_client_sends(folder: Path, tmp_path: Path) -> None:
    from flwr.common.serde import recorddict_to_proto

    address = f"local:{folder}?eval_episodes=1"
    record = answer(address, tmp_path)

    state, action = (array[:11].astype(np.float64) for array in _joints())  # two episodes of three
    tasks = ["Pick up the cube", "Put it down"]
    expected = {
        "client": "ann",
        "dataset": address,
        "schema": {
            "cameras": {TOP: [48, 64, 3], WRIST: [48, 64, 3]},
            "state": list(JOINTS),
            "action": list(JOINTS),
            "fps": 10,
            "tasks": tasks,
            "robot": "so101_follower",
            "format": "LeRobot v3.0",
        },
        "statistics": {"observation.state": _sums(state), "action": _sums(action)},
        "episodes": [
            {"index": 0, "start": 0, "stop": 6, "task": tasks[0], "hash": _hash(0, 6)},
            {"index": 1, "start": 6, "stop": 11, "task": tasks[1], "hash": _hash(6, 11)},
        ],
        "frames": 11,
    }
    assert list(record) == ["header"]
    assert set(record["header"]) == {"type", "json"}
    assert record["header"]["type"] == "SchemaReport"
    text = str(record["header"]["json"])
    assert json.loads(text) == expected

    # On the wire there is nothing besides but names, lengths and tags of Protocol Buffers.
    content = recorddict_to_proto(record).SerializeToString(deterministic=True)
    assert content.count(text.encode()) == 1
    framing = content.replace(text.encode(), b"")
    words = re.findall(rb"[A-Za-z]{3,}", framing)
    assert sorted(words) == [b"SchemaReport", b"header", b"json", b"type"]
    assert len(framing) - sum(map(len, words)) < 40


def test_what_is_held_out_is_not_even_counted(folder: Path, tmp_path: Path) -> None:
    text = str(answer(f"local:{folder}?eval_episodes=1", tmp_path)["header"]["json"])
    assert _hash(11, 18) not in text


def _joints() -> tuple[np.ndarray, np.ndarray]:
    return RECORDING.joints(JOINTS), RECORDING.joints(JOINTS) + 1


def _sums(values: np.ndarray) -> dict[str, object]:
    mean = values.mean(axis=0)
    return {
        "count": len(values),
        "mean": mean.tolist(),
        "m2": np.square(values - mean).sum(axis=0).tolist(),
        "min": values.min(axis=0).tolist(),
        "max": values.max(axis=0).tolist(),
    }


def _hash(start: int, stop: int) -> str:
    rows = np.concatenate([array[start:stop] for array in _joints()], axis=1)
    return hashlib.sha256(rows.tobytes()).hexdigest()


def test_a_client_refuses_data_that_would_fail_later(tmp_path: Path) -> None:
    folder = write_v3(tmp_path / "cut", Recording(lengths=(3, 3)))
    (folder / "videos" / TOP / "chunk-000" / "file-000.mp4").unlink()
    (folder / "videos" / WRIST / "chunk-000" / "file-000.mp4").unlink()
    record = answer(f"local:{folder}", tmp_path)
    assert header_type(record) == "ClientError"
    problem = from_record(record, ClientError)
    assert problem.usage
    assert problem.reason.startswith(f"local:{folder}: video of episodes 0-1 is missing: ")
    assert problem.reason.endswith(
        "copy or download the dataset again (and 1 more, which `zk0 data check` lists)"
    )


Change = Callable[[SchemaReport], SchemaReport]


def with_schema(**changes: object) -> Change:
    return lambda report: attrs.evolve(report, schema=attrs.evolve(report.schema, **changes))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            with_schema(fps=30),
            "client 'bob': fps is 30, client 'ann' has 10; one policy needs one rate: fps=10 in "
            "the address of client 'bob' takes one frame of 3",
        ),
        (
            with_schema(action=("pan", *JOINTS[1:]), state=("pan", *JOINTS[1:])),
            "client 'bob': state has 3 joints pan, elbow_flex.pos, gripper.pos, client 'ann' has 3 "
            "joints shoulder_pan.pos, elbow_flex.pos, gripper.pos; if they are the same joints in "
            'this order, say rename = { "pan" = "shoulder_pan.pos" } for it (and 1 more, which '
            "`zk0 data check` lists)",
        ),
    ],
)
def test_the_server_names_both_sides(
    folder: Path, tmp_path: Path, change: Change, message: str
) -> None:
    ann = report(f"local:{folder}", tmp_path)
    bob = change(attrs.evolve(ann, client="bob"))
    with pytest.raises(DataError) as refused:
        check_alike([ann, bob])
    assert str(refused.value) == message


def test_what_looks_odd_is_said_and_the_run_goes_on(
    folder: Path, tmp_path: Path, said: list[str]
) -> None:
    ann = report(f"local:{folder}", tmp_path)
    small = write_v3(tmp_path / "radians", Recording(reach=1.2))
    bob = attrs.evolve(report(f"local:{small}", tmp_path / "bob"), client="bob")
    check_alike([ann, bob])
    assert said == [
        "client 'bob': client 'bob' stays within ±1.20 and client 'ann' reaches 60: radians "
        "against degrees; convert one of them",
        "client 'bob': no joint of the so101_follower goes beyond ±1.20: radians, or an arm that "
        "hardly moved; LeRobot records these arms in degrees or in percent; convert it if it is "
        "radians",
    ]


def test_alike_nothing_is_said(folder: Path, tmp_path: Path, said: list[str]) -> None:
    ann = report(f"local:{folder}", tmp_path)
    check_alike([ann, attrs.evolve(ann, client="bob")])
    assert said == []
