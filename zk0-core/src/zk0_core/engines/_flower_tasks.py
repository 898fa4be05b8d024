"""What a node's runner and trainer take from their SuperNode, and hand to it: messages."""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.engines._flower import become_task
from zk0_core.engines._flower_network import (
    PIECE_SECONDS_BESIDE,
    look_for_pieces_every,
    runtime_client,
)
from zk0_core.engines._flower_pieces import Pieces, hand_over, pulling
from zk0_core.errors import WireError, Zk0Error
from zk0_core.plugin_errors import described

if TYPE_CHECKING:
    from flwr.app import Context, Message

HEARTBEAT_SECONDS = 10.0
COMPLETED = "completed"


class StaleTask(Zk0Error):
    """A task of a SuperNode is of no use, and its SuperNode waits for an answer nevertheless."""


@attrs.frozen
class Handed:
    """A message whose pieces wait at the SuperNode: any process of this machine can take them."""

    address: str
    """The SuperNode's."""
    token: str
    pieces: Path
    context: "Context"
    tree: bytes
    """Which pieces they are, as Flower says it."""

    def message(self) -> "Message":
        """Return the message, put together.

        Raises:
            StaleTask: if its run has ended meanwhile, the SuperNode is gone, or no disk is left.
            WireError: if it cannot be put together.
        """
        import httpx
        from flwr.app import Message
        from flwr.proto.message_pb2 import ObjectTree
        from flwr.proto.node_pb2 import Node
        from flwr.supercore.inflatable.inflatable_protobuf_utils import (
            make_confirm_message_received_fn_protobuf,
        )
        from flwr.supercore.inflatable.inflatable_utils import (
            ObjectPullError,
            pull_and_inflate_object_from_tree,
        )

        look_for_pieces_every(*PIECE_SECONDS_BESIDE)
        node, run = Node(node_id=self.context.node_id), self.context.run_id
        tree = ObjectTree.FromString(self.tree)
        client = self._client()
        pull = pulling(Pieces(self.pieces))(client.PullObject, node, run)
        confirm = make_confirm_message_received_fn_protobuf(
            client.ConfirmMessageReceived, node, run
        )
        try:
            message = pull_and_inflate_object_from_tree(tree, pull, confirm, return_type=Message)
        except (httpx.HTTPError, ObjectPullError, OSError) as problem:
            raise StaleTask(f"a message could not be taken: {problem}") from problem
        # Flower's parsers raise anything; whatever it is, it is about what the server sent.
        except Exception as problem:
            raise WireError(
                f"the server sent what cannot be put together: {described(problem)}"
            ) from problem
        finally:
            client.close()
        if not message.has_content():
            raise WireError("the server sent a message with nothing in it")
        # What it is put together from does not name it.
        message.metadata.__dict__["_message_id"] = tree.object_id
        return message

    def forget(self) -> None:
        """Have the SuperNode remove the message's pieces, as it does once they are taken.

        Not before it has all of them: it would keep back the answer to a message that went away
        while it came in.
        """
        import httpx
        from flwr.proto.message_pb2 import ObjectTree
        from flwr.proto.node_pb2 import Node
        from flwr.supercore.inflatable.inflatable_object import iterate_object_tree
        from flwr.supercore.inflatable.inflatable_protobuf_utils import (
            make_confirm_message_received_fn_protobuf,
            make_pull_object_fn_protobuf,
        )
        from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, pull_objects

        look_for_pieces_every(*PIECE_SECONDS_BESIDE)
        node, run = Node(node_id=self.context.node_id), self.context.run_id
        tree = ObjectTree.FromString(self.tree)
        client = self._client()
        # A SuperNode that is gone has none, and of a message that was taken there are none.
        with contextlib.suppress(httpx.HTTPError, ObjectPullError):
            names = [each.object_id for each in iterate_object_tree(tree)]
            pull_objects(names, make_pull_object_fn_protobuf(client.PullObject, node, run))
            make_confirm_message_received_fn_protobuf(client.ConfirmMessageReceived, node, run)(
                tree.object_id
            )
        client.close()

    def push(self, reply: "Message") -> None:
        """Hand the reply over to the SuperNode, which sends it.

        Raises:
            StaleTask: if the SuperNode lets go of the reply while it comes in, as it does when it
                learns that the run has ended, or is gone, or no disk is left.
        """
        import httpx
        from flwr.supercore.inflatable.inflatable_utils import ObjectPushError
        from flwr.supernode.runtime import run_clientapp

        hand_over(run_clientapp, Pieces(self.pieces))
        client = self._client()
        try:
            run_clientapp.push_message(client, reply, self.context)
        except (httpx.HTTPError, ObjectPushError, OSError) as problem:
            raise StaleTask(f"an answer was not taken: {problem}") from problem
        finally:
            client.close()

    def _client(self) -> Any:
        return _task_client(self.address, self.token)


def _task_client(address: str, token: str) -> Any:
    from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor

    return runtime_client(address, RuntimeTokenHttpInterceptor(token))


class NodeTask:
    """One message for this node, taken from its SuperNode: what is known of it, and its end."""

    def __init__(self, address: str, token: str, pieces: Path) -> None:
        """Take the task that `token` stands for; its pieces are files in the folder `pieces`."""
        from flwr.common.serde import context_from_proto, message_from_proto, run_from_proto
        from flwr.proto.runtime_pb2 import PullAppMessagesRequest, PullTaskInputRequest

        self._client = _task_client(address, token)
        about = self._client.PullTaskInput(PullTaskInputRequest())
        asked = self._client.PullMessages(PullAppMessagesRequest())
        if not asked.messages_list:
            raise StaleTask("a message could not be taken: it is gone")
        context: Context = context_from_proto(about.context)
        tree = asked.message_object_trees[0]
        self.bundle: bytes = about.fab.content
        self.run = str(run_from_proto(about.run).override_config.get("run", ""))
        self.handed = Handed(address, token, pieces, context, tree.SerializeToString())
        self._message: Message = message_from_proto(asked.messages_list[0])
        """Whom to answer; there is nothing in it."""
        self._beaten = time.monotonic()

    @property
    def context(self) -> "Context":
        """Run and node of the message."""
        return self.handed.context

    def beat(self) -> bool:
        """Say now and then that the work goes on; return False when nobody wants it any more."""
        import httpx
        from flwr.proto.runtime_pb2 import SendTaskHeartbeatRequest

        if time.monotonic() - self._beaten < HEARTBEAT_SECONDS:
            return True
        self._beaten = time.monotonic()
        try:
            return bool(self._client.SendTaskHeartbeat(SendTaskHeartbeatRequest()).success)
        except httpx.HTTPError:
            return False

    def refuse(self, code: int, reason: str) -> None:
        """Answer that the message cannot be answered, and why.

        Raises:
            StaleTask: see `Handed.push`.
        """
        from flwr.app import Error, Message

        self.handed.forget()
        become_task(self.context.node_id, self.context.run_id)
        self.handed.push(Message(Error(code, reason), reply_to=self._message))
        self.finish()

    def finish(self) -> None:
        """Tell the SuperNode that the answer is whole."""
        from flwr.supernode.runtime.run_clientapp import push_task_output

        push_task_output(self._client, self.context, COMPLETED, "")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class TaskSource:
    """Where tasks are taken: from the SuperNode beside us, or from the SuperLink."""

    def __init__(self, address: str, secret: bytes, ca: Path | None = None) -> None:
        from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor

        self._address = address
        self._client = runtime_client(
            address,
            SuperExecAuthHttpInterceptor(
                master_secret=secret, protected_methods={"/flwr.proto.Runtime/AcquireTask"}
            ),
            ca,
        )

    def take(self, pieces: Path) -> NodeTask | None:
        """Return the next message for a node; None when there is none, or no SuperNode.

        Args:
            pieces: The folder of the SuperNode's pieces.

        Raises:
            StaleTask: if the message is of a run that has ended meanwhile.
        """
        import httpx
        from flwr.supercore.constant import TaskType

        token = self._take(TaskType.CLIENT_APP)
        if not token:
            return None
        try:
            return NodeTask(self._address, token, pieces)
        except httpx.HTTPError as problem:
            raise StaleTask(f"a message could not be taken: {problem}") from problem

    def take_run(self) -> str:
        """Return the token of the next run to carry out; empty when there is none."""
        from flwr.supercore.constant import TaskType

        return self._take(TaskType.SERVER_APP)

    def _take(self, kind: str) -> str:
        import httpx
        from flwr.proto.runtime_pb2 import AcquireTaskRequest

        try:
            answer = self._client.AcquireTask(AcquireTaskRequest(supported_task_types=[kind]))
        except httpx.HTTPError:
            return ""
        return str(answer.token) if answer.HasField("task") else ""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
