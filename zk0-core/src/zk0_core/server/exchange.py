"""Orders out, reports in: over Flower's Grid, one reply in memory at a time.

Replies are given in order of client name, whoever was fast, so that a result does not depend on
it to the last bit. One that comes before its turn waits on disk.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from zk0_core.errors import WireError
from zk0_core.server.envelope import MOST_INFLATED, check_envelope
from zk0_core.wire.packing import one_line
from zk0_core.wire.spool import read_record, write_record

LATENESS = 0.02
"""Of the time that replies were waited for, until the next look: each look is work for a server."""
MOST_BYTES = 64 * 2**20
"""Bytes that an answer may have where nothing else is said."""


class ClientFailed(WireError):
    """A client could not do what it was asked, or is gone: there is no update to judge."""


@attrs.frozen(kw_only=True)
class Patience:
    """How long a server waits for its clients; these are a simulation's values."""

    poll: float = 0.02
    """Seconds between two looks for replies, at first."""
    slowest: float = 0.02
    """Seconds between two looks once replies have been waited for longer."""
    connect: float = 60.0
    """Seconds that clients get to connect before the first round."""
    round: float | None = None
    """Seconds after which an answer comes too late; None to wait as long as its node is there."""
    without: bool = False
    """Whether to go on without clients that cannot take part, rather than to stop."""
    least: int = 1
    """How many there have to be to begin, where others cannot take part."""

    def pause(self, waited: float) -> float:
        """Return the seconds until the next look, after so many of waiting for replies."""
        return min(max(self.poll, LATENESS * waited), self.slowest)


@attrs.frozen
class Reply:
    """One client's answer: a record, or why there is none."""

    client: str
    record: RecordDict | None
    problem: WireError | None = None


class Exchange:
    """Asks clients, by name, and gives their answers in order."""

    def __init__(
        self,
        grid: Grid,
        spool: Path,
        patience: Patience = Patience(),
        approved: Callable[[Grid], Mapping[int, str] | None] = lambda grid: None,
    ) -> None:
        """Ask over `grid`; `approved` tells under which name a node was let in, by its id."""
        self._grid = grid
        self._spool = spool
        self._approved = approved
        self.patience = patience

    def approved_names(self) -> Mapping[int, str] | None:
        """Return the names under which nodes were let in, by their ids; None in a simulation."""
        return self._approved(self._grid)

    def nodes(self, expected: int) -> list[int]:
        """Return the nodes that are connected, in order of id.

        Nodes may come up while the server already runs: `expected` of them are waited for, as
        long as our patience goes.
        """
        deadline = time.monotonic() + self.patience.connect
        while len(nodes := sorted(self._grid.get_node_ids())) < expected:
            if time.monotonic() > deadline:
                break
            time.sleep(self.patience.poll)
        return nodes

    def ask(
        self,
        message_type: str,
        contents: dict[str, RecordDict],
        nodes: Mapping[str, int],
        most_bytes: int = MOST_BYTES,
    ) -> Iterator[Reply]:
        """Send every client its record; yield the answers in order of client name.

        Args:
            message_type: Which function of the ClientApp answers, such as "train".
            contents: Client name to what it is sent. It is emptied: what was sent does not stay in
                memory beside what comes back.
            nodes: Client name to its node.
            most_bytes: An answer that is larger is dropped, unread.
        """
        clients = sorted(contents)
        pushed = self._grid.push_messages(
            [Message(contents.pop(client), nodes[client], message_type) for client in clients]
        )
        # The node of a lost reply is not its sender's: keep the client of every message.
        waiting = dict(zip(pushed, clients, strict=True))
        asked = time.monotonic()
        early: dict[str, Path | Reply] = {}
        for turn in clients:
            # Not kept in a variable: it would stay in memory beside the next one.
            yield self._wait_for(turn, waiting, early, asked, most_bytes)

    def _wait_for(
        self,
        turn: str,
        waiting: dict[str, str],
        early: dict[str, Path | Reply],
        asked: float,
        most_bytes: int,
    ) -> Reply:
        """Return the answer of the client `turn`; others that come before it go into `early`."""
        patience = self.patience
        while turn not in early:
            for message_id in list(waiting):
                reply = self._pull(message_id, waiting, most_bytes)
                if reply is None:
                    continue
                if reply.client == turn:
                    return reply
                early[reply.client] = self._put_aside(reply)
                del reply  # or it would stay in memory beside the next one
            if turn in early:
                break
            waited = time.monotonic() - asked
            if patience.round is not None and waited > patience.round:
                # Whatever it still sends belongs to a message that nobody asks for any more.
                late = ClientFailed(f"no answer within {patience.round:.0f} s")
                return Reply(turn, None, late)
            time.sleep(patience.pause(waited))
        arrived = early.pop(turn)
        return Reply(turn, read_record(arrived)) if isinstance(arrived, Path) else arrived

    def _pull(self, message_id: str, waiting: dict[str, str], most_bytes: int) -> Reply | None:
        """Return the answer to a message, which is waited for no more; None without one so far."""
        limit = MOST_INFLATED.set(most_bytes)
        try:
            for message in self._grid.pull_messages([message_id]):
                return _reply(waiting.pop(message_id), message, most_bytes)
        except WireError as problem:
            return Reply(waiting.pop(message_id), None, problem)
        finally:
            MOST_INFLATED.reset(limit)
        return None

    def _put_aside(self, reply: Reply) -> Path | Reply:
        """Return where `reply` waits on disk; itself if there is no record in it."""
        if reply.record is None:
            return reply
        return write_record(self._spool / f"{reply.client}.spool", reply.record)


def _reply(client: str, message: Message, most_bytes: int) -> Reply:
    if message.has_error():
        reason = one_line(str(message.error.reason))
        return Reply(client, None, ClientFailed(f"client failed: {reason}"))
    try:
        check_envelope(message.content, most_bytes)
    except WireError as problem:
        return Reply(client, None, problem)
    return Reply(client, message.content)
