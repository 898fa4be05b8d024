"""A SuperNode lets go of a reply when it learns that the run has ended; the node goes on."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from flwr.app import ConfigRecord, Context, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.proto.message_pb2 import ObjectTree, PullObjectResponse, PushObjectResponse
from flwr.proto.runtime_pb2 import PushAppMessagesRequest, PushAppMessagesResponse

from tests.answering import Asked, answering
from zk0_core.engines._flower_pieces import Pieces
from zk0_core.engines._flower_tasks import Handed, StaleTask
from zk0_core.errors import WireError
from zk0_core.federation.node import Node


def forgetful_supernode(asked: Asked) -> tuple[int, bytes]:
    """Ask for every piece of a reply, and have forgotten the reply when they come."""
    if asked.path.endswith("/push-messages"):
        pushed = PushAppMessagesRequest.FromString(asked.body)
        wanted = [tree.object_id for tree in pushed.message_object_trees]
        return 200, PushAppMessagesResponse(objects_to_push=wanted).SerializeToString()
    if asked.path.endswith("/pull-object"):
        return 200, PullObjectResponse(object_found=False).SerializeToString()
    assert asked.path.endswith("/push-object"), asked.path
    return 200, PushObjectResponse(stored=False).SerializeToString()


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Handed]:
    """A message of such a SuperNode."""
    with answering(forgetful_supernode) as address:
        context = Context(1, 2, {}, RecordDict(), {})
        yield Handed(address, "token", tmp_path, context, b"")


def reply() -> Message:
    about = Metadata(1, "", 2, 1, "asked", "1", time.time(), 3600.0, "train")
    return make_message(about, RecordDict({"sums": ConfigRecord({"loss": 1.0})}))


def test_a_reply_that_is_let_go_of_says_so(task: Handed) -> None:
    with pytest.raises(StaleTask, match=r"an answer was not taken: Failed to push object"):
        task.push(reply())


def test_a_message_that_is_let_go_of_says_so(task: Handed) -> None:
    known = attrs.evolve(task, tree=ObjectTree(object_id="0" * 64).SerializeToString())
    with pytest.raises(StaleTask, match=r"a message could not be taken: .*could not be found"):
        known.message()


def test_what_cannot_be_put_together_is_refused(tmp_path: Path) -> None:
    name = Pieces(tmp_path).write(b"no object of Flower's")

    def lying_supernode(asked: Asked) -> tuple[int, bytes]:
        if asked.path.endswith("/pull-object"):
            answer = PullObjectResponse(
                object_found=True, object_available=True, object_content=name.encode()
            )
            return 200, answer.SerializeToString()
        return 200, b""

    tree = ObjectTree(object_id="0" * 64).SerializeToString()
    with answering(lying_supernode) as address:
        task = Handed(address, "token", tmp_path, Context(1, 2, {}, RecordDict(), {}), tree)
        with pytest.raises(WireError, match=r"^the server sent what cannot be put together: "):
            task.message()


def test_a_message_is_forgotten_once_it_is_whole(tmp_path: Path) -> None:
    asked_for: list[str] = []

    def slow_supernode(asked: Asked) -> tuple[int, bytes]:
        asked_for.append(asked.path.rpartition("/")[2])
        known = PullObjectResponse(object_found=True, object_available=len(asked_for) > 2)
        return 200, known.SerializeToString() if asked_for[-1] == "pull-object" else b""

    tree = ObjectTree(object_id="0" * 64).SerializeToString()
    with answering(slow_supernode) as address:
        Handed(address, "token", tmp_path, Context(1, 2, {}, RecordDict(), {}), tree).forget()
    assert asked_for == ["pull-object"] * 3 + ["confirm-message-received"]


def test_the_node_goes_on_with_another_supernode(task: Handed) -> None:
    stopped: list[bool] = []
    noted: list[str] = []
    supernode = SimpleNamespace(stop=lambda: stopped.append(True))
    messages = SimpleNamespace(answer=lambda task: task.push(reply()))
    node = Node.__new__(Node)
    node._status = SimpleNamespace(note=noted.append)  # type: ignore[assignment]
    node._answer(messages, task, supernode)  # type: ignore[arg-type]
    assert stopped == [True]
    assert noted[0].startswith("an answer was not taken: ")
    assert noted[0].endswith("; the SuperNode starts afresh")
