"""Orders out, reports in: over Flower's Grid, one reply in memory at a time.

Replies are given in order of client name, whoever was fast, so that a result does not depend on
it to the last bit. One that comes before its turn waits on disk.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from zk0_core.wire.spool import read_record, write_record

POLL_SECONDS = 0.02
CONNECT_SECONDS = 60.0


@attrs.frozen
class Reply:
    """One client's answer: a record, or why there is none."""

    client: str
    record: RecordDict | None
    failure: str = ""


class Exchange:
    """Asks clients, by name, and gives their answers in order."""

    def __init__(self, grid: Grid, spool: Path) -> None:
        self._grid = grid
        self._spool = spool

    def nodes(self, expected: int) -> list[int]:
        """Return the nodes that are connected, in order of id.

        A simulation's nodes come up while the server already runs: `expected` of them are waited
        for, CONNECT_SECONDS at most.
        """
        deadline = time.monotonic() + CONNECT_SECONDS
        while len(nodes := sorted(self._grid.get_node_ids())) < expected:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        return nodes

    def ask(
        self, message_type: str, contents: Mapping[str, RecordDict], nodes: Mapping[str, int]
    ) -> Iterator[Reply]:
        """Send every client its record; yield the answers in order of client name.

        Args:
            message_type: Which function of the ClientApp answers, such as "train".
            contents: Client name to what it is sent.
            nodes: Client name to its node.
        """
        clients = sorted(contents)
        messages = [
            Message(content=contents[client], dst_node_id=nodes[client], message_type=message_type)
            for client in clients
        ]
        # The node of a lost reply is not its sender's: keep the client of every message.
        waiting = dict(zip(self._grid.push_messages(messages), clients, strict=True))
        early: dict[str, Path | Reply] = {}
        for turn in clients:
            # Not kept in a variable: it would stay in memory beside the next one.
            yield self._wait_for(turn, waiting, early)

    def _wait_for(
        self, turn: str, waiting: dict[str, str], early: dict[str, Path | Reply]
    ) -> Reply:
        """Return the answer of the client `turn`; others that come before it go into `early`."""
        while turn not in early:
            for client, reply in self._pull(waiting):
                if client == turn:
                    return reply
                if reply.record is None:
                    early[client] = reply
                else:
                    early[client] = write_record(self._spool / f"{client}.spool", reply.record)
            time.sleep(POLL_SECONDS)
        arrived = early.pop(turn)
        return Reply(turn, read_record(arrived)) if isinstance(arrived, Path) else arrived

    def _pull(self, waiting: dict[str, str]) -> Iterator[tuple[str, Reply]]:
        for message_id in list(waiting):
            for message in self._grid.pull_messages([message_id]):
                client = waiting.pop(message_id)
                if message.has_error():
                    yield client, Reply(client, None, str(message.error.reason))
                else:
                    yield client, Reply(client, message.content)
