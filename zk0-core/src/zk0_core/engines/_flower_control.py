"""The SuperLink's Control API, and the apps that are submitted through it: private in Flower.

Tests watch each piece.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from zk0_core.errors import Zk0Error

ONLINE = "online"
FINISHED, STOPPED = "finished", "stopped"
NOT_FOUND = 404
FINISHED_ALREADY = 412


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
        """Return how far run `run_id` is; None if the SuperLink knows none.

        Raises:
            Zk0Error: if it cannot tell just now; a run that goes on is never taken for an unknown.
        """
        import httpx
        from flwr.proto.control_pb2 import ListRunsRequest

        try:
            answer = self._client.ListRuns(ListRunsRequest(run_id=run_id))
        except httpx.HTTPStatusError as refused:
            if refused.response.status_code == NOT_FOUND:
                return None
            raise Zk0Error(
                f"the SuperLink does not tell of run {run_id}: {refused.response.text[:300]}"
            ) from refused
        except httpx.HTTPError as problem:
            raise Zk0Error(f"the SuperLink does not answer: {problem}") from problem
        status = answer.run_dict[run_id].status
        return RunState(status.status, status.sub_status, status.details)

    def stop_run(self, run_id: int) -> None:
        """Stop run `run_id`; one that has ended, or that the SuperLink does not know, is left be.

        Raises:
            Zk0Error: if it may still go on.
        """
        import httpx
        from flwr.proto.control_pb2 import StopRunRequest

        try:
            self._client.StopRun(StopRunRequest(run_id=run_id))
        except httpx.HTTPStatusError as refused:
            if refused.response.status_code not in (NOT_FOUND, FINISHED_ALREADY):
                raise Zk0Error(
                    f"run {run_id} was not stopped: {refused.response.text[:300]}"
                ) from refused
        except httpx.HTTPError as problem:
            raise Zk0Error(f"the SuperLink does not answer: {problem}") from problem

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def build_bundle(files: dict[str, bytes]) -> bytes:
    """Return a Flower app of `files`; the same files give the same bytes."""
    from flwr.cli.build import build_fab_from_files

    return build_fab_from_files(dict(files))[0]


def bundle_hash(bundle: bytes) -> str:
    """Return the SHA-256 of a Flower app, as Flower names it."""
    import hashlib

    return hashlib.sha256(bundle).hexdigest()


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
