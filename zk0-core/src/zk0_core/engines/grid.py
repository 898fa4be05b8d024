"""What the Grids have in common whose clients are all in one run on this machine."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from zk0_core.engines._flower import become_task, empty_run

if TYPE_CHECKING:
    from flwr.supercore.run import Run

FIRST_NODE = 100


class OneRunGrid(Grid):
    """A Grid of so many clients: node FIRST_NODE + i is client i.

    To be added: `push_messages`, and `pull_messages` without waiting for anyone.
    """

    def __init__(self, clients: int) -> None:
        """Give this process the server's identity, and make `clients` nodes."""
        become_task()
        self._run = empty_run()
        self._nodes = range(FIRST_NODE, FIRST_NODE + clients)

    def set_run(self, run: "Run") -> None:
        """Take the run that messages belong to."""
        self._run = run

    @property
    def run(self) -> "Run":
        """The run that messages belong to."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message; `Message(...)` does the same."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return one node per client."""
        return self._nodes

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Refuse: the rounds push, and pull replies one at a time."""
        raise NotImplementedError("push messages and pull their replies")
