"""A node of a federation: its SuperNode, its trainer, and the passing of messages between them."""

import os
import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs
from loguru import logger

from zk0_core.engines.bundle import bundle
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.certificates import load_node_key, write_private
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.handshake import NotYet, ServerAddress, check_server
from zk0_core.federation.processes import Child, free_port, program, stop_all
from zk0_core.federation.records import NodeSettings, NodeStatus, read, write
from zk0_core.federation.runs import now
from zk0_core.federation.signals import ended_by_signal, only_one
from zk0_core.federation.trainer import Done, Failure, Trainer, TrainerSettings

if TYPE_CHECKING:
    from flwr.app import Message

    from zk0_core.engines._flower_network import Fleet, NodeTask, TaskSource

POLL_SECONDS = 0.2
ASK_SECONDS = 2.0
"""Between two questions whether a run still goes on."""
DATASET_SECONDS = 600.0
SENT_SECONDS = 600.0
LONGEST_WAIT = 30.0
LOOPBACK = "127.0.0.1"
SENT = (b"Sent successfully", b"Failed to send", b"Ignoring reply")
"""What a SuperNode logs when it is through with a reply."""


@attrs.frozen(kw_only=True)
class NodeOptions:
    """What a node operator asks for."""

    dataset: str
    rename: Mapping[str, str] = attrs.field(factory=dict)
    device: str = "cpu"
    retry: bool = False
    """Whether a first connection that fails is tried again."""
    max_rounds: int = 0
    """Rounds after which the node leaves; 0 for never."""
    max_hours: float = 0.0
    """Hours after which it leaves, once a round is over; 0 for never."""


def settings_of(folder: NodeFolder) -> NodeSettings:
    """Return where the node belongs.

    Raises:
        UsageError: if it was never enrolled.
    """
    settings = read(folder.settings, NodeSettings)
    if settings is None:
        raise UsageError(
            f"this machine has no node of federation '{folder.path.parent.name}'; enroll it first: "
            "zk0 client enroll --server HOST:PORT --authority FINGERPRINT --node NAME"
        )
    return settings


def status_of(folder: NodeFolder) -> NodeStatus | None:
    """Return what the node does; None if it does not run."""
    from zk0_core.federation.processes import is_running

    status = read(folder.status, NodeStatus)
    return status if status is not None and is_running(status.pid) else None


class Stopped(Exception):
    """The node was told to end."""


class Node:
    """A node that runs; `run` returns when it is done or told to end."""

    def __init__(self, folder: NodeFolder, options: NodeOptions, ended: list[int]) -> None:
        self._folder = folder
        self._options = options
        self._ended = ended
        settings = settings_of(folder)
        self._address = ServerAddress.parse(settings.server)
        self._status = NodeStatus(
            pid=os.getpid(),
            name=settings.name,
            server=settings.server,
            dataset=options.dataset,
            started=now(),
        )
        self._trainer: Trainer | None = None
        self._deadline = (
            time.monotonic() + 3600 * options.max_hours if options.max_hours else float("inf")
        )

    def run(self, tell: Callable[[str], None]) -> None:
        """Connect, and train what is asked for.

        Args:
            tell: Called with one line once connected, and for each failure that is tried again.

        Raises:
            Zk0Error: if the first connection fails, or the dataset cannot be used.
        """
        from zk0_core.engines._flower_network import Fleet, TaskSource

        self._connect(tell)
        folder = self._folder
        if not folder.secret.is_file():
            write_private(folder.secret, secrets.token_hex(32).encode())
        self._trainer = Trainer(self._trainer_settings())
        port = free_port()
        supernode = self._supernode(port)
        source = TaskSource(f"{LOOPBACK}:{port}", folder.secret.read_bytes())
        fleet = Fleet(str(self._address), folder.ca, load_node_key(folder.key))
        try:
            self._await_dataset()
            tell(f"{self._status.name} is ready for {self._address}, with {self._options.dataset}")
            self._serve(supernode, source, fleet, tell)
        except Stopped:
            logger.info("told to end")
        finally:
            self._say(state="stopping")
            # The SuperNode says goodbye to the server, so that nobody waits for this node.
            stop_all([supernode])
            self._trainer.stop()
            source.close()
            fleet.close()
            folder.status.unlink(missing_ok=True)

    def _trainer_settings(self) -> TrainerSettings:
        return TrainerSettings(
            name=self._status.name,
            dataset=self._options.dataset,
            rename=self._options.rename,
            device=self._options.device,
            state=self._folder.state,
            logs=self._folder.logs,
        )

    def _connect(self, tell: Callable[[str], None]) -> None:
        """Return once the server would let this node in."""
        wait = 1.0
        while True:
            try:
                check_server(self._address, self._folder, self._status.name)
                return
            except Zk0Error as problem:
                if not self._options.retry:
                    raise
                self._note(str(problem))
                tell(f"{problem}; trying again in {wait:.0f} s")
                self._say(state="trying again")
                self._sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT)

    def _await_dataset(self) -> None:
        """Return once the trainer has opened the dataset.

        Raises:
            Zk0Error: if it cannot be used; the text is its loader's.
        """
        assert self._trainer is not None
        deadline = time.monotonic() + DATASET_SECONDS
        while not self._trainer.ready:
            self._check_ended()
            answer = self._trainer.answer(POLL_SECONDS)
            if isinstance(answer, Failure):
                raise (UsageError if answer.usage else Zk0Error)(answer.reason)
            if self._trainer.died or time.monotonic() > deadline:
                raise Zk0Error(
                    f"the trainer did not start ({self._trainer.died or 'too slow'}); see "
                    f"{self._folder.logs}"
                )

    def _supernode(self, port: int) -> Child:
        command = (
            *(program("flower-supernode"), "--superlink", str(self._address)),
            *("--root-certificates", str(self._folder.ca)),
            *("--auth-supernode-private-key", str(self._folder.key)),
            *("--isolation", "process", "--superexec-auth-secret-file", str(self._folder.secret)),
            *("--host", LOOPBACK, "--port", str(port)),
        )
        environment = {"FLWR_HOME": str(self._folder.path / "flower")}
        return Child("supernode", command, self._folder.logs / "supernode.log", environment)

    def _serve(
        self, supernode: Child, source: "TaskSource", fleet: "Fleet", tell: Callable[[str], None]
    ) -> None:
        assert self._trainer is not None
        while not self._is_done():
            self._check_ended()
            if self._folder.paused.exists():
                self._say(state="paused")
                supernode.stop()
                self._sleep(POLL_SECONDS)
                continue
            if self._trainer.died:
                self._revive_trainer()
            if not supernode.alive:
                self._say(state="trying again" if supernode.starts else "starting")
                if self._may_connect(tell):
                    supernode.revive()
                self._sleep(POLL_SECONDS)
                continue
            self._say(
                state="waiting",
                supernode=supernode.process.pid if supernode.process else 0,
                trainer=self._trainer.pid,
            )
            task = source.take()
            if task is None:
                self._sleep(POLL_SECONDS)
                continue
            try:
                self._carry_out(task, supernode, fleet)
            except Zk0Error as problem:
                self._note(str(problem))
        logger.info("leaves after {} rounds", self._status.rounds_done)

    def _may_connect(self, tell: Callable[[str], None]) -> bool:
        """Whether the server would let this node in; once connected it is asked for ever."""
        try:
            check_server(self._address, self._folder, self._status.name)
        except Zk0Error as problem:
            if str(problem) != self._status.last_error:
                tell(f"{problem}; trying again")
            self._note(str(problem))
            self._sleep(3.0 if isinstance(problem, NotYet) else 10.0)
            return False
        return True

    def _carry_out(self, task: "NodeTask", supernode: Child, fleet: "Fleet") -> None:
        """Have the trainer answer one message, and hand its answer over."""
        from zk0_core.wire.orders import bytes_in

        assert self._trainer is not None
        if task.bundle != bundle():
            self._refuse(
                task,
                "the server sent another app than this node's own; install the same version of "
                "zk0 on both",
            )
            return
        record = task.message.content
        order = _order_of(task.message)
        self._say(state="training", run=task.run, round=order)
        down = bytes_in(record)
        self._trainer.ask(task.run, task.message, task.context)
        sent = _count_sent(supernode)
        done = self._await_answer(task, supernode, fleet)
        if done is None:
            return
        if isinstance(done, str):
            self._refuse(task, done)
            return
        task.answer(done.reply)
        self._told(done.reply, order, down)
        self._await_sent(supernode, sent)

    def _await_answer(
        self, task: "NodeTask", supernode: Child, fleet: "Fleet"
    ) -> Done | str | None:
        """Return the trainer's answer, why there is none, or None where nobody wants one."""
        assert self._trainer is not None
        asked = time.monotonic()
        while True:
            self._check_ended()
            answer = self._trainer.answer(POLL_SECONDS)
            if isinstance(answer, Failure):
                return answer.reason
            if answer is not None:
                return answer
            if died := self._trainer.died:
                self._revive_trainer()
                return f"the trainer was {died}"
            wanted = supernode.alive and task.beat()
            if wanted and time.monotonic() - asked > ASK_SECONDS:
                asked = time.monotonic()
                wanted = fleet.goes_on(task.context.node_id, task.context.run_id)
            if not wanted:
                logger.warning("run {} wants no answer any more: training is stopped", task.run)
                task.drop()
                self._trainer.restart()
                self._await_dataset()
                # Else it would wait for the answer for a minute, and take nothing new.
                supernode.stop()
                return None

    def _revive_trainer(self) -> None:
        assert self._trainer is not None
        self._note(f"the trainer was {self._trainer.died}; another one starts")
        self._trainer.restart()
        self._await_dataset()

    def _refuse(self, task: "NodeTask", reason: str) -> None:
        """Answer that this cannot be done, so that the admin sees why."""
        from flwr.app import Error, Message

        from zk0_core.engines.local import CLIENT_FAILED

        self._note(reason)
        task.answer(Message(Error(CLIENT_FAILED, reason), reply_to=task.message))

    def _told(self, reply: "Message", order: int, down: int) -> None:
        """Note what the answer says."""
        from zk0_core.wire.orders import (
            ClientError,
            RoundReport,
            bytes_in,
            from_record,
            header_type,
        )

        if reply.has_error():
            self._note(str(reply.error.reason))
            return
        kind = header_type(reply.content)
        if kind == ClientError.__name__:
            self._note(from_record(reply.content, ClientError).reason)
        elif kind == RoundReport.__name__:
            report = from_record(reply.content, RoundReport)
            self._say(
                loss=report.loss,
                round=order,
                rounds_done=self._status.rounds_done + 1,
                bytes_down=self._status.bytes_down + down,
                bytes_up=self._status.bytes_up + bytes_in(reply.content),
            )
            other = report.seconds - report.seconds_data - report.seconds_compute
            logger.info(
                "round {}: loss {:.4f}; {:.1f} s: data {:.1f}, compute {:.1f}, loading and state "
                "{:.1f}",
                order,
                report.loss,
                report.seconds,
                report.seconds_data,
                report.seconds_compute,
                other,
            )

    def _await_sent(self, supernode: Child, before: int) -> None:
        """Return when the SuperNode is through with the answer: it must not be ended before."""
        deadline = time.monotonic() + SENT_SECONDS
        while supernode.alive and _count_sent(supernode) == before:
            self._check_ended()
            if time.monotonic() > deadline:
                self._note("the answer could not be sent")
                return
            time.sleep(POLL_SECONDS)

    def _is_done(self) -> bool:
        enough = self._options.max_rounds and self._status.rounds_done >= self._options.max_rounds
        return bool(enough) or time.monotonic() > self._deadline

    def _note(self, problem: str) -> None:
        logger.warning("{}", problem)
        self._say(errors=self._status.errors + 1, last_error=problem)

    def _say(self, **changes: object) -> None:
        """Write the status down, if it changes."""
        changed = attrs.evolve(self._status, **changes)  # type: ignore[arg-type]  # by name
        if changed != self._status or not self._folder.status.exists():
            self._status = changed
            write(self._folder.status, changed)

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._check_ended()
            time.sleep(min(left, POLL_SECONDS))

    def _check_ended(self) -> None:
        if self._ended:
            raise Stopped


def _order_of(message: "Message") -> int:
    """Return the round that a message asks for; 0 for none."""
    from zk0_core.errors import WireError
    from zk0_core.wire.orders import RoundOrder, from_record, header_type

    if header_type(message.content) != RoundOrder.__name__:
        return 0
    try:
        return from_record(message.content, RoundOrder).round
    except WireError:
        return 0


def _count_sent(supernode: Child) -> int:
    """Return how many replies the SuperNode is through with, by its log."""
    text = supernode.log.read_bytes() if supernode.log.is_file() else b""
    return sum(text.count(line) for line in SENT)


def run_node(folder: NodeFolder, options: NodeOptions, tell: Callable[[str], None]) -> None:
    """Run the node of `folder` until it is done or told to end.

    Raises:
        Zk0Error: see `Node.run`.
    """
    busy = (
        f"the node in {folder.path} runs already; zk0 client status, or another folder for another "
        "node (ZK0_HOME)"
    )
    with only_one(folder.lock, busy), ended_by_signal() as ended:
        Node(folder, options, ended).run(tell)
