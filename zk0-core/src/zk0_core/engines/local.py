"""The local engine: a Grid in this process, clients in resident worker processes.

Each client sticks to one worker, so that its policy, data and caches stay loaded.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

from flwr.app import Context, Error, Message, RecordDict
from loguru import logger

from zk0_core.disk import is_full
from zk0_core.engines._flower import become_task, client_context, stamp
from zk0_core.engines.grid import FIRST_NODE, OneRunGrid
from zk0_core.engines.workers import Workers
from zk0_core.errors import Zk0Error
from zk0_core.plan import ClientPlan

if TYPE_CHECKING:
    from zk0_core.server.server import Server

CLIENT_FAILED = 2
"""The code that Flower gives to a client app that raised."""


class LocalGrid(OneRunGrid):
    """Passes messages to simulated clients on workers."""

    def __init__(self, clients: Sequence[ClientPlan], folder: Path, workers: Workers) -> None:
        super().__init__(len(clients))
        self._clients = clients
        self._folder = folder
        self._workers = workers
        self._sent: dict[str, tuple[Message, Future[Message]]] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Give each message to its client's worker; return their ids."""
        ids = []
        for message in messages:
            message_id = stamp(message)
            partition = message.metadata.dst_node_id - FIRST_NODE
            client = self._clients[partition]
            future = self._workers.submit(
                partition, _answer, client, self._folder, partition, message
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
            if is_full(problem) or isinstance(problem, BrokenProcessPool):
                # Our disk and memory too: the round would end otherwise than with room.
                raise problem
            logger.opt(exception=problem).error("client app failed")
            told = isinstance(problem, Zk0Error)
            reason = str(problem) if told else f"{type(problem).__name__}: {problem}"
            replies.append(Message(Error(CLIENT_FAILED, reason), reply_to=message))
        return replies


def _answer(client: ClientPlan, folder: Path, partition: int, message: Message) -> Message:
    """Run `client`'s app on `message`, in a worker."""
    from zk0_core.engines.apps import client_app

    node = FIRST_NODE + partition
    become_task(node)
    app = client_app({partition: client}, folder)
    return app(message=message, context=client_context(node, partition))


def run_local(server: "Server", clients: Sequence[ClientPlan], folder: Path) -> None:
    """Run `server` with simulated clients on its own workers."""
    from zk0_core.engines.apps import server_app

    grid = LocalGrid(clients, folder, server.workers)
    context = Context(run_id=1, node_id=0, node_config={}, state=RecordDict(), run_config={})
    server_app(server)(grid, context)
