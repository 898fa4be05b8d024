"""A SuperNode lets go of a reply when it learns that the run has ended; the node goes on."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from flwr.app import ConfigRecord, Context, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.proto.message_pb2 import PushObjectResponse
from flwr.proto.runtime_pb2 import PushAppMessagesRequest, PushAppMessagesResponse
from flwr.supercore.runtime import RuntimeHttpClient

from tests.answering import Asked, answering
from zk0_core.engines._flower_network import NodeTask, StaleTask
from zk0_core.federation.node import Node


def forgetful_supernode(asked: Asked) -> tuple[int, bytes]:
    """Ask for every piece of a reply, and have forgotten the reply when they come."""
    if asked.path.endswith("/push-messages"):
        pushed = PushAppMessagesRequest.FromString(asked.body)
        wanted = [tree.object_id for tree in pushed.message_object_trees]
        return 200, PushAppMessagesResponse(objects_to_push=wanted).SerializeToString()
    assert asked.path.endswith("/push-object"), asked.path
    return 200, PushObjectResponse(stored=False).SerializeToString()


@pytest.fixture
def task() -> Iterator[NodeTask]:
    """A task taken from such a SuperNode."""
    with answering(forgetful_supernode) as address:
        task = NodeTask.__new__(NodeTask)
        task._client = RuntimeHttpClient.from_server_address(
            server_address=address, insecure=True, root_certificates=None, interceptors=[]
        )
        task.context = Context(1, 2, {}, RecordDict(), {})
        yield task


def reply() -> Message:
    about = Metadata(1, "", 2, 1, "asked", "1", time.time(), 3600.0, "train")
    return make_message(about, RecordDict({"sums": ConfigRecord({"loss": 1.0})}))


def test_a_reply_that_is_let_go_of_says_so(task: NodeTask) -> None:
    with pytest.raises(StaleTask, match=r"an answer was not taken: Failed to push object"):
        task.answer(reply())


def test_the_node_goes_on_with_another_supernode(task: NodeTask) -> None:
    stopped: list[bool] = []
    supernode = SimpleNamespace(stop=lambda: stopped.append(True))
    messages = SimpleNamespace(answer=lambda task: task.answer(reply()))
    node = Node.__new__(Node)
    node._answer(messages, task, supernode)  # type: ignore[arg-type]
    assert stopped == [True]
