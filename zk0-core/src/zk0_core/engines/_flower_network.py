"""Everything private in Flower that federations over a network touch; tests watch each one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

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
ONLINE = "online"
FINISHED, COMPLETED, STOPPED = "finished", "completed", "stopped"


@attrs.frozen
class KnownNode:
    """A node as the SuperLink knows it."""

    id: int
    name: str
    public_key: bytes
    online: bool
    since: str
    """When it was approved, ISO 8601."""
    seen: str
    """When it connected last, or left; empty for never."""


@attrs.frozen
class RunState:
    """How far a Flower run is."""

    status: str
    ending: str
    """How it ended: completed, failed, stopped; empty while it goes on."""
    details: str


class Control:
    """The SuperLink's Control API, on this machine."""

    def __init__(self, address: str, ca: Path) -> None:
        from flwr.supercore.control import ControlHttpClient

        self._client = ControlHttpClient.from_server_address(
            address, insecure=False, root_certificates=str(ca), interceptors=[]
        )

    def nodes(self) -> list[KnownNode]:
        """Return the nodes that are approved, in order of name."""
        from flwr.proto.control_pb2 import ListNodesRequest

        with _told():
            answer = self._client.ListNodes(ListNodesRequest())
        known = [
            KnownNode(
                id=node.node_id,
                name=node.name,
                public_key=node.public_key,
                online=node.status == ONLINE,
                since=node.registered_at,
                seen=max(node.last_activated_at, node.last_deactivated_at),
            )
            for node in answer.nodes_info
            if node.status != "unregistered"
        ]
        return sorted(known, key=lambda node: node.name)

    def register(self, name: str, public_key: bytes) -> None:
        """Let the owner of `public_key` take part, under `name`."""
        from flwr.proto.control_pb2 import RegisterNodeRequest

        with _told():
            self._client.RegisterNode(RegisterNodeRequest(public_key=public_key, name=name))

    def unregister(self, node: int) -> None:
        """Let `node` take part no more."""
        from flwr.proto.control_pb2 import UnregisterNodeRequest

        with _told():
            self._client.UnregisterNode(UnregisterNodeRequest(node_id=node))

    def start_run(self, bundle: bytes, run: str) -> int:
        """Submit the app in `bundle` with the name of a zk0 run; return Flower's number for it."""
        from flwr.common.serde import fab_to_proto, user_config_to_proto
        from flwr.proto.control_pb2 import StartRunRequest
        from flwr.supercore.fab import Fab

        with _told():
            answer = self._client.StartRun(
                StartRunRequest(
                    fab=fab_to_proto(Fab(bundle_hash(bundle), bundle, {})),
                    override_config=user_config_to_proto({"run": run}),
                )
            )
        return int(answer.run_id)

    def run_state(self, run_id: int) -> RunState | None:
        """Return how far run `run_id` is; None if the SuperLink knows none."""
        import httpx
        from flwr.proto.control_pb2 import ListRunsRequest

        try:
            answer = self._client.ListRuns(ListRunsRequest(run_id=run_id))
        except httpx.HTTPStatusError:
            return None
        except httpx.HTTPError as problem:
            raise Zk0Error(f"the SuperLink does not answer: {problem}") from problem
        status = answer.run_dict[run_id].status
        return RunState(status.status, status.sub_status, status.details)

    def stop_run(self, run_id: int) -> None:
        """Stop run `run_id`; one that has ended stays as it is."""
        import httpx
        from flwr.proto.control_pb2 import StopRunRequest

        try:
            self._client.StopRun(StopRunRequest(run_id=run_id))
        except httpx.HTTPStatusError as problem:
            if "finished" not in problem.response.text:
                raise Zk0Error(f"run {run_id} was not stopped: {problem.response.text}") from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


class Fleet:
    """What a node's own runner asks the server itself, in its node's name."""

    def __init__(self, address: str, ca: Path, key: "EllipticCurvePrivateKey") -> None:
        from flwr.supernode.fleet_http_client import FleetHttpClient
        from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

        self._client = FleetHttpClient.from_server_address(
            address,
            insecure=False,
            root_certificates=str(ca),
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


class StaleTask(Zk0Error):
    """A task of a SuperNode is of no use, and its SuperNode waits for an answer nevertheless."""


class NodeTask:
    """One message for this node, taken from its SuperNode: what is asked, and the answer."""

    def __init__(self, address: str, token: str) -> None:
        from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor
        from flwr.supernode.runtime.run_clientapp import pull_task_input

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
            Zk0Error: if the SuperNode is gone.
        """
        import httpx
        from flwr.supernode.runtime.run_clientapp import push_message, push_task_output

        try:
            push_message(self._client, reply, self.context)
            push_task_output(self._client, self.context, COMPLETED, "")
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


def build_bundle(files: dict[str, bytes]) -> bytes:
    """Return a Flower app of `files`; the same files give the same bytes."""
    from flwr.cli.build import build_fab_from_files

    return build_fab_from_files(dict(files))[0]


def bundle_hash(bundle: bytes) -> str:
    """Return the SHA-256 of a Flower app, as Flower names it."""
    import hashlib

    return hashlib.sha256(bundle).hexdigest()


def _runtime(address: str, interceptor: Any, ca: Path | None = None) -> Any:
    from flwr.supercore.runtime import RuntimeHttpClient

    return RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=ca is None,
        root_certificates=None if ca is None else str(ca),
        interceptors=[interceptor],
    )


@contextmanager
def _told() -> Iterator[None]:
    """Turn what goes wrong on the way to the SuperLink into one line."""
    import httpx

    try:
        yield
    except httpx.HTTPStatusError as refused:
        raise Zk0Error(f"the SuperLink refused: {refused.response.text[:300]}") from refused
    except httpx.HTTPError as problem:
        raise Zk0Error(f"the SuperLink does not answer: {problem}") from problem
