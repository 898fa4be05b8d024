"""What of Flower's private parts nodes, the front and the launcher touch; tests watch each one.

What a SuperNode is made of is in _flower_supernode.py, and its messages are in _flower_tasks.py.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.engines._flower_pieces import Pieces, hand_over

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
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
PIECE_SECONDS, PIECE_SECONDS_BESIDE = (0.2, 2.0), (0.1, 0.5)
"""Between two looks for a piece of a message that is on its way: at first, and at most; over the
network, where many nodes look at one server, and on one machine."""


ANSWER_SECONDS = 3.0
"""What a server gets to connect, and to answer, before a node works on without an answer: while it
waits for one, it hears of nothing else."""


class Fleet:
    """What a node's own runner asks the server itself, in its node's name."""

    def __init__(self, address: str, ca: Path | None, key: "EllipticCurvePrivateKey") -> None:
        """Ask the server at `address`; `ca` is None where it has no TLS."""
        import ssl

        from flwr.supernode.fleet_http_client import FleetHttpClient
        from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

        self._client = FleetHttpClient(
            f"{'http' if ca is None else 'https'}://{address}",
            interceptors=[NodeAuthHttpInterceptor(key, key.public_key())],
            verify=ca is not None and ssl.create_default_context(cafile=str(ca)),
            # Flower's own is half a minute.
            timeout=ANSWER_SECONDS,
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


def run_server_app(address: str, ca: Path, token: str, pieces: Path, parent: int) -> None:
    """Carry out the run that `token` stands for, in this process; it ends with `parent`.

    The SuperLink at `address` keeps pieces of messages as files in the folder `pieces`.
    """
    from queue import Queue

    from flwr.supercore.logger import mirror_output_to_queue
    from flwr.superlink.grid import http_grid
    from flwr.superlink.runtime import run_serverapp

    look_for_pieces_every(*PIECE_SECONDS_BESIDE)
    hand_over(http_grid, Pieces(pieces))
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


def runtime_client(address: str, interceptor: Any, ca: Path | None = None) -> Any:
    """Return a connection to the Runtime API at `address`; `ca` is None where it has no TLS."""
    from flwr.supercore.runtime import RuntimeHttpClient

    return RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=ca is None,
        root_certificates=None if ca is None else str(ca),
        interceptors=[interceptor],
    )
