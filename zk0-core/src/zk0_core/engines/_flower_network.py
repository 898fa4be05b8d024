"""What of Flower's private parts nodes, the front and the launcher touch; tests watch each one."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.engines._flower_http import serve_well
from zk0_core.errors import Zk0Error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from flwr.app import Context, Message
    from flwr.serverapp import Grid

FLEET = "/v1/fleet/"
"""Where nodes talk to a SuperLink."""
NODE_CALLS = (
    "activate-node",
    "deactivate-node",
    "send-node-heartbeat",
    "pull-messages",
    "push-messages",
    "get-run",
    "get-fab",
    "push-object",
    "pull-object",
    "confirm-message-received",
)
"""What nodes need of it; nodes that register themselves are none of ours."""
NODE_HEADERS = (
    "accept",
    "content-type",
    "flwr-public-key",
    "flwr-signature",
    "flwr-timestamp",
    "flwr-package-name",
    "flwr-package-version",
    "flwr-component-name",
)
"""What of a node's headers the SuperLink is shown."""
MEDIA_TYPE = "application/protobuf"
HEARTBEAT_SECONDS = 10.0
LOOK_SECONDS = 1.0
"""Between a node's looks for a message."""
PIECE_SECONDS, PIECE_SECONDS_BESIDE = (0.2, 2.0), (0.1, 0.5)
"""Between two looks for a piece of a message that is on its way: at first, and at most; over the
network, where many nodes look at one server, and on one machine."""
COMPLETED = "completed"


class Fleet:
    """What a node's own runner asks the server itself, in its node's name."""

    def __init__(self, address: str, ca: Path | None, key: "EllipticCurvePrivateKey") -> None:
        """Ask the server at `address`; `ca` is None where it has no TLS."""
        from flwr.supernode.fleet_http_client import FleetHttpClient
        from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

        self._client = FleetHttpClient.from_server_address(
            address,
            insecure=ca is None,
            root_certificates=None if ca is None else str(ca),
            interceptors=[NodeAuthHttpInterceptor(key, key.public_key())],
        )

    def goes_on(self, node: int, run_id: int) -> bool:
        """Whether the run has not ended; True as well while the server cannot be asked."""
        import httpx
        from flwr.proto.node_pb2 import Node
        from flwr.proto.run_pb2 import GetRunRequest

        try:
            self._client.GetRun(GetRunRequest(node=Node(node_id=node), run_id=run_id))
        except httpx.HTTPStatusError as refused:
            return refused.response.status_code >= 500
        except httpx.HTTPError:
            return True
        return True

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def run_supernode(heartbeat: int, insecure: bool) -> None:
    """Be Flower's SuperNode, with the flags in `sys.argv`.

    Args:
        heartbeat: A SuperLink misses this node when it has not heard of it for twice so many
            seconds; Flower has a constant for that.
        insecure: Whether the server has no TLS. Flower's flag for that refuses a node's key.
    """
    import types

    import flwr.supercore.heartbeat
    import flwr.supernode.fleet_http_connection
    from flwr.supernode import start_client_internal
    from flwr.supernode.cli import flower_supernode

    for module in (flwr.supercore.heartbeat, flwr.supernode.fleet_http_connection):
        assert isinstance(vars(module)["HEARTBEAT_DEFAULT_INTERVAL"], int)
        vars(module)["HEARTBEAT_DEFAULT_INTERVAL"] = heartbeat
    # It uses nothing else of the module `time`, and would look for a message every 3 s.
    quicker = types.SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, LOOK_SECONDS)))
    assert vars(start_client_internal)["time"] is time
    vars(start_client_internal)["time"] = quicker
    look_for_pieces_every(*PIECE_SECONDS)
    serve_well()
    if insecure:
        _connect_without_tls()
    flower_supernode()


def _connect_without_tls() -> None:
    """Have this process's SuperNode connect without TLS, and sign with its key all the same."""
    from flwr.supernode import start_client_internal
    from flwr.supernode.fleet_http_connection import http_request_response

    def plain(address: str, insecure: bool, certificates: object, *rest: Any) -> Any:
        return http_request_response(address, True, None, *rest)

    assert vars(start_client_internal)["http_request_response"] is http_request_response
    vars(start_client_internal)["http_request_response"] = plain


def look_for_pieces_every(first: float, most: float) -> None:
    """Have this process look for a message's pieces sooner than Flower, which waits up to 10 s.

    A message is announced before its pieces are there. Who looks for the first ones while they are
    still being sent would sleep on when all of them have come.

    Args:
        first: Seconds between the first two looks; twice as many between the next ones, and so on.
        most: Seconds between two looks at most.
    """
    from flwr.supercore.inflatable import inflatable_utils

    for pull in (inflatable_utils.pull_objects, inflatable_utils.pull_and_inflate_object_from_tree):
        waits = pull.__kwdefaults__ or {}
        assert waits.keys() >= {"initial_backoff", "backoff_cap", "max_tries_per_object"}
        # More looks take no longer: what ends them is Flower's limit of two hours.
        waits.update(initial_backoff=first, backoff_cap=most, max_tries_per_object=None)


class StaleTask(Zk0Error):
    """A task of a SuperNode is of no use, and its SuperNode waits for an answer nevertheless."""


class NodeTask:
    """One message for this node, taken from its SuperNode: what is asked, and the answer."""

    def __init__(self, address: str, token: str) -> None:
        from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor
        from flwr.supernode.runtime.run_clientapp import pull_task_input

        look_for_pieces_every(*PIECE_SECONDS_BESIDE)
        self._client = _runtime(address, RuntimeTokenHttpInterceptor(token))
        message, context, run, fab = pull_task_input(self._client)
        self.message: Message = message
        self.context: Context = context
        self.bundle: bytes = fab.content
        self.run: str = str(run.override_config.get("run", ""))
        self._beaten = time.monotonic()

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

    def answer(self, reply: "Message") -> None:
        """Hand the reply over to the SuperNode, which sends it.

        Raises:
            StaleTask: if the SuperNode lets go of the reply while it comes in, as it does when it
                learns that the run has ended.
            Zk0Error: if the SuperNode is gone.
        """
        import httpx
        from flwr.supercore.inflatable.inflatable_utils import ObjectPushError
        from flwr.supernode.runtime.run_clientapp import push_message, push_task_output

        try:
            push_message(self._client, reply, self.context)
            push_task_output(self._client, self.context, COMPLETED, "")
        except ObjectPushError as problem:
            raise StaleTask(f"an answer was not taken: {problem}") from problem
        except httpx.HTTPError as problem:
            raise Zk0Error(f"the SuperNode took no answer: {problem}") from problem
        finally:
            self._client.close()

    def drop(self) -> None:
        """Let go of the task without an answer."""
        self._client.close()


class TaskSource:
    """Where tasks are taken: from the SuperNode beside us, or from the SuperLink."""

    def __init__(self, address: str, secret: bytes, ca: Path | None = None) -> None:
        from flwr.supercore.interceptors import SuperExecAuthHttpInterceptor

        self._address = address
        self._client = _runtime(
            address,
            SuperExecAuthHttpInterceptor(
                master_secret=secret, protected_methods={"/flwr.proto.Runtime/AcquireTask"}
            ),
            ca,
        )

    def take(self) -> NodeTask | None:
        """Return the next message for a node; None when there is none, or no SuperNode.

        Raises:
            StaleTask: if the message is of a run that has ended meanwhile.
        """
        import httpx
        from flwr.supercore.constant import TaskType

        token = self._take(TaskType.CLIENT_APP)
        if not token:
            return None
        try:
            return NodeTask(self._address, token)
        except (httpx.HTTPError, RuntimeError) as problem:
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


def run_server_app(address: str, ca: Path, token: str, parent: int) -> None:
    """Carry out the run that `token` stands for, in this process; it ends with `parent`."""
    from queue import Queue

    from flwr.supercore.logger import mirror_output_to_queue
    from flwr.superlink.runtime import run_serverapp

    look_for_pieces_every(*PIECE_SECONDS_BESIDE)
    lines: Queue[str | None] = Queue()
    mirror_output_to_queue(lines)
    run_serverapp(
        runtime_api_address=address,
        log_queue=lines,
        token=token,
        insecure=False,
        certificates=ca.read_bytes(),
        parent_pid=parent,
        runtime_dependency_install=False,
    )


def names_of_nodes(grid: "Grid") -> dict[int, str]:
    """Return the approved names of the nodes that are connected, by their ids."""
    from flwr.superlink.grid import HttpGrid

    assert isinstance(grid, HttpGrid)
    return {node.node_id: node.name for node in grid.get_nodes()}


def _runtime(address: str, interceptor: Any, ca: Path | None = None) -> Any:
    from flwr.supercore.runtime import RuntimeHttpClient

    return RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=ca is None,
        root_certificates=None if ca is None else str(ca),
        interceptors=[interceptor],
    )
