"""A node of a federation: its SuperNode, its trainer, and what happens when one of them ends."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loguru import logger

from zk0_core.errors import Zk0Error
from zk0_core.federation.certificates import load_node_key, write_private
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.handshake import NotYet, ServerAddress, check_server
from zk0_core.federation.memory import kept_memory
from zk0_core.federation.messages import Messages
from zk0_core.federation.node_options import NodeOptions
from zk0_core.federation.node_status import StatusFile, settings_of
from zk0_core.federation.opening import await_dataset
from zk0_core.federation.processes import Child, free_port, stop_all
from zk0_core.federation.records import NodeStatus
from zk0_core.federation.runs import now
from zk0_core.federation.signals import ended_by_signal, only_one
from zk0_core.federation.trainer import Trainer, TrainerSettings
from zk0_core.federation.trying import POLL_SECONDS, Attempts, Stopped

if TYPE_CHECKING:
    from zk0_core.engines._flower_tasks import NodeTask, TaskSource

LOOPBACK = "127.0.0.1"


class Node:
    """A node that runs; `run` returns when it is done or told to end."""

    def __init__(
        self,
        folder: NodeFolder,
        options: NodeOptions,
        ended: list[int],
        tell: Callable[[str], None],
    ) -> None:
        """Prepare to run; `tell` is called with what the operator is to see, a line at a time."""
        self._folder = folder
        self._options = options
        self._tell = tell
        settings = settings_of(folder)
        self._address = ServerAddress.parse(settings.server, str(folder.settings))
        self._name = settings.name
        status = NodeStatus(
            pid=os.getpid(),
            name=settings.name,
            server=settings.server,
            dataset=options.dataset,
            started=now(),
        )
        self._status = StatusFile(folder, status)
        self._attempts = Attempts(self._status, ended, tell)
        hours = options.max_hours or float("inf")
        self._deadline = time.monotonic() + 3600 * hours

    def run(self) -> None:
        """Connect, and train what is asked for.

        Raises:
            Zk0Error: if the first connection fails, or the dataset cannot be used.
        """
        try:
            # It may be a download of hours until there is more to tell.
            self._status.say()
            self._run()
        except Stopped:
            logger.info("told to end")
        finally:
            self._status.remove()

    def _run(self) -> None:
        from zk0_core.engines._flower_network import Fleet
        from zk0_core.engines._flower_tasks import TaskSource

        folder = self._folder
        self._first(self._check_server)
        if not folder.secret.is_file():
            write_private(folder.secret, secrets.token_hex(32).encode())
        trainer = Trainer(self._trainer_settings())
        port = free_port()
        supernode = self._supernode(port)
        source = TaskSource(f"{LOOPBACK}:{port}", folder.secret.read_bytes())
        fleet = Fleet(
            self._address.place,
            None if self._address.insecure else folder.ca,
            load_node_key(folder.key),
        )
        messages = Messages(trainer, supernode, fleet, self._status, self._attempts.check)
        try:
            self._first(lambda: self._open_dataset(trainer))
            self._tell(f"{self._name} is ready for {self._address}, with {self._options.dataset}")
            while not self._is_done():
                task = self._take(source, supernode) if self._is_up(trainer, supernode) else None
                if task is None:
                    self._attempts.sleep(POLL_SECONDS)
                else:
                    self._answer(messages, task, supernode)
            logger.info("leaves after {} rounds", self._status.now.rounds_done)
        finally:
            self._status.say(state="stopping")
            # The SuperNode says goodbye to the server, so that nobody waits for this node.
            stop_all([supernode])
            trainer.stop()
            source.close()
            fleet.close()

    def _first(self, attempt: Callable[[], None]) -> None:
        """Do what comes before anything else: in one attempt, or with --retry until it works."""
        if self._options.retry:
            self._attempts.until_it_works(attempt)
        else:
            attempt()

    def _check_server(self) -> None:
        check_server(self._address, self._folder, self._name)

    def _trainer_settings(self) -> TrainerSettings:
        return TrainerSettings(
            name=self._name,
            dataset=self._options.dataset,
            rename=self._options.rename,
            device=self._options.device,
            state=self._folder.state,
            logs=self._folder.logs,
            epsilon=self._options.epsilon,
            name_dataset=self._options.name_dataset,
        )

    def _supernode(self, port: int) -> Child:
        trusted = ("--root-certificates", str(self._folder.ca))
        command = (
            *(sys.executable, "-m", "zk0_core.federation.supernode"),
            *(str(self._options.heartbeat), str(self._folder.pieces)),
            *("--superlink", self._address.place),
            *(("--insecure",) if self._address.insecure else trusted),
            *("--auth-supernode-private-key", str(self._folder.key)),
            *("--isolation", "process", "--superexec-auth-secret-file", str(self._folder.secret)),
            *("--host", LOOPBACK, "--port", str(port)),
        )
        environment = kept_memory() | {"FLWR_HOME": str(self._folder.path / "flower")}
        return Child("supernode", command, self._folder.logs / "supernode.log", environment)

    def _open_dataset(self, trainer: Trainer) -> None:
        try:
            self._await_dataset(trainer)
        except Zk0Error:
            if self._options.retry:
                # It ends when it cannot open the dataset: the next attempt is another one's.
                trainer.restart()
            raise

    def _await_dataset(self, trainer: Trainer) -> None:
        await_dataset(trainer, self._status, self._folder.logs, self._attempts.check)

    def _is_open_again(self, trainer: Trainer, supernode: Child) -> bool:
        """Whether the trainer has its dataset open again; a node that was ready tries for ever."""
        try:
            self._await_dataset(trainer)
        except Zk0Error as problem:
            self._attempts.failed(problem)
            # Nobody is to wait for this node meanwhile.
            supernode.stop()
            self._attempts.rest()
            trainer.restart()
            return False
        self._attempts.worked()
        return True

    def _is_up(self, trainer: Trainer, supernode: Child) -> bool:
        """Whether there is work to ask for; what has ended is started again where it may be."""
        if self._folder.paused.exists():
            supernode.stop()
            self._status.say(state="paused", trainer=trainer.pid)
            return False
        if trainer.died:
            self._status.note(f"the trainer was {trainer.died}; another one starts")
            trainer.restart()
        if not trainer.ready:
            self._status.say(state="starting", trainer=trainer.pid)
            if not self._is_open_again(trainer, supernode):
                return False
        supernode.keep_log_small()
        if not supernode.alive:
            if self._may_connect(trainer):
                self._status.say(state="connecting")
                if supernode.revive():
                    self._status.note(f"the SuperNode ended by itself; see {supernode.log}")
            return False
        assert supernode.process is not None
        self._status.say(state="waiting", supernode=supernode.process.pid, trainer=trainer.pid)
        return True

    def _may_connect(self, trainer: Trainer) -> bool:
        """Whether the server would let this node in; once connected it is asked for ever."""
        try:
            check_server(self._address, self._folder, self._name, trainer.about)
        except Zk0Error as problem:
            self._attempts.failed(problem)
            self._attempts.sleep(3.0 if isinstance(problem, NotYet) else 10.0)
            return False
        return True

    def _take(self, source: "TaskSource", supernode: Child) -> "NodeTask | None":
        """Return the next message; None when there is none."""
        with self._afresh_when_stale(supernode):
            return source.take(self._folder.pieces)
        return None

    def _answer(self, messages: Messages, task: "NodeTask", supernode: Child) -> None:
        with self._afresh_when_stale(supernode):
            messages.answer(task)

    @contextmanager
    def _afresh_when_stale(self, supernode: Child) -> Iterator[None]:
        """Have the SuperNode start afresh when it waits for an answer that does not come whole.

        So it is when a run has ended meanwhile: it would send answers in the wrong order from then
        on, and keep one back.
        """
        from zk0_core.engines._flower_tasks import StaleTask

        try:
            yield
        except StaleTask as problem:
            self._status.note(f"{problem}; the SuperNode starts afresh")
            supernode.stop()

    def _is_done(self) -> bool:
        enough = self._options.max_rounds
        return (0 < enough <= self._status.now.rounds_done) or time.monotonic() > self._deadline


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
        # Of one that was killed; it is not to pass for ours while we start.
        folder.status.unlink(missing_ok=True)
        # Whoever starts a node wants it to work, whatever was asked of it before it ended.
        folder.paused.unlink(missing_ok=True)
        Node(folder, options, ended, tell).run()
