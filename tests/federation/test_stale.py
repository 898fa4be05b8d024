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
from zk0_core.engines._flower_tasks import Handed, StaleTask
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


def test_the_node_goes_on_with_another_supernode(task: Handed) -> None:
    stopped: list[bool] = []
    supernode = SimpleNamespace(stop=lambda: stopped.append(True))
    messages = SimpleNamespace(answer=lambda task: task.push(reply()))
    node = Node.__new__(Node)
    node._answer(messages, task, supernode)  # type: ignore[arg-type]
    assert stopped == [True]
