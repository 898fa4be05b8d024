"""The local engine: a Grid in this process, clients in resident worker processes.

Each client sticks to one worker, so that its policy, data and caches stay loaded.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from loguru import logger

from zk0_core.engines._flower import become_task, client_context, empty_run, stamp
from zk0_core.engines.workers import Workers
from zk0_core.plan import ClientPlan

if TYPE_CHECKING:
    from flwr.supercore.run import Run

    from zk0_core.server.server import Server

FIRST_NODE = 100
CLIENT_FAILED = 2
"""The code that Flower gives to a client app that raised."""


class LocalGrid(Grid):
    """Passes messages to simulated clients on workers; node FIRST_NODE + i is client i."""

    def __init__(self, clients: Sequence[ClientPlan], folder: Path, workers: Workers) -> None:
        become_task()
        self._run = empty_run()
        self._clients = clients
        self._folder = folder
        self._workers = workers
        self._sent: dict[str, tuple[Message, Future[Message]]] = {}

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
        return range(FIRST_NODE, FIRST_NODE + len(self._clients))

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Give each message to its client's worker; return their ids."""
        ids = []
        for message in messages:
            message_id = stamp(message)
            partition = message.metadata.dst_node_id - FIRST_NODE
            future = self._workers.submit(
                partition, _answer, self._clients, self._folder, partition, message
            )
            self._sent[message_id] = message, future
            ids.append(message_id)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that are there."""
        replies = []
        for message_id in message_ids:
            message, future = self._sent[message_id]
            if not future.done():
                continue
            del self._sent[message_id]
            problem = future.exception()
            if problem is None:
                replies.append(future.result())
                continue
            logger.opt(exception=problem).error("client app failed")
            reason = f"{type(problem).__name__}: {problem}"
            replies.append(Message(Error(CLIENT_FAILED, reason), reply_to=message))
        return replies

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Push messages and wait for all replies."""
        waiting = list(self.push_messages(messages))
        for message_id in waiting:
            self._sent[message_id][1].exception(timeout)
        return self.pull_messages(waiting)


def _answer(
    clients: Sequence[ClientPlan], folder: Path, partition: int, message: Message
) -> Message:
    """Run the client app on `message`, in a worker."""
    from zk0_core.engines.apps import client_app

    node = FIRST_NODE + partition
    become_task(node)
    return client_app(clients, folder)(message=message, context=client_context(node, partition))


def run_local(server: "Server", clients: Sequence[ClientPlan], folder: Path) -> None:
    """Run `server` with simulated clients on its own workers."""
    from zk0_core.engines.apps import server_app

    grid = LocalGrid(clients, folder, server.workers)
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={})
    server_app(server)(grid, context)
