"""A SuperNode lets go of a reply when it learns that the run has ended; the node goes on."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from flwr.app import ConfigRecord, Context, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.proto.message_pb2 import PushObjectResponse
from flwr.proto.runtime_pb2 import PushAppMessagesRequest, PushAppMessagesResponse
from flwr.supercore.runtime import RuntimeHttpClient

from zk0_core.engines._flower_network import NodeTask, StaleTask
from zk0_core.federation.node import Node


class ForgetfulSuperNode(BaseHTTPRequestHandler):
    """Asks for every piece of a reply, and has forgotten the reply when they come."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/push-messages"):
            pushed = PushAppMessagesRequest.FromString(body)
            wanted = [tree.object_id for tree in pushed.message_object_trees]
            answer = PushAppMessagesResponse(objects_to_push=wanted).SerializeToString()
        else:
            assert self.path.endswith("/push-object"), self.path
            answer = PushObjectResponse(stored=False).SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def task() -> Iterator[NodeTask]:
    """A task taken from such a SuperNode."""
    listening = ThreadingHTTPServer(("127.0.0.1", 0), ForgetfulSuperNode)
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    task = NodeTask.__new__(NodeTask)
    task._client = RuntimeHttpClient.from_server_address(
        server_address=f"127.0.0.1:{listening.server_port}",
        insecure=True,
        root_certificates=None,
        interceptors=[],
    )
    task.context = Context(1, 2, {}, RecordDict(), {})
    yield task
    listening.shutdown()
    listening.server_close()


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
