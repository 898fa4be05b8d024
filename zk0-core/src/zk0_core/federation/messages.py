"""A message from the server, from the SuperNode to the trainer, and the answer back."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from loguru import logger

from zk0_core.data import TRAINING
from zk0_core.engines.bundle import bundle
from zk0_core.federation.node_status import StatusFile
from zk0_core.federation.processes import Child
from zk0_core.federation.trainer import SENDING, Done, Failure, Told, Trainer

if TYPE_CHECKING:
    from zk0_core.engines._flower_network import Fleet
    from zk0_core.engines._flower_tasks import NodeTask

POLL_SECONDS = 0.2
ASK_SECONDS = 2.0
"""Between two questions whether a run still goes on."""
SENT_SECONDS = 600.0
SENT = (b"Sent successfully", b"Failed to send", b"Ignoring reply")
"""What a SuperNode logs when it is through with a reply."""


class Messages:
    """Has a trainer answer the messages that a SuperNode gets, one at a time."""

    def __init__(
        self,
        trainer: Trainer,
        supernode: Child,
        fleet: "Fleet",
        status: StatusFile,
        check: Callable[[], None],
    ) -> None:
        """Pass messages on; `check` is called while waiting, and raises when the node is to end."""
        self._trainer = trainer
        self._supernode = supernode
        self._fleet = fleet
        self._status = status
        self._check = check
        self._read, self._sent = 0, 0
        """Bytes of the SuperNode's log that were read, and the replies that they tell of."""

    def answer(self, task: "NodeTask") -> None:
        """Have one message answered; one that nobody wants answered any more is dropped.

        Raises:
            StaleTask: if the SuperNode takes no answer, or waits for one that does not come.
        """
        try:
            if task.bundle == bundle():
                self._work(task)
            else:
                self._refuse(
                    task,
                    "the server sent another app than this node's own; install the same version "
                    "of zk0 on both",
                )
        finally:
            task.close()

    def _work(self, task: "NodeTask") -> None:
        """Have the trainer answer."""
        self._status.say(state="training", run=task.run, round=0, step=0, steps=0)
        before = self._count_sent()
        self._trainer.ask(task.run, task.handed)
        try:
            answer = self._await(task)
            if isinstance(answer, Done):
                task.finish()
                self._tell(answer)
                self._await_sent(before)
            elif answer:
                self._refuse(task, answer)
            else:
                self._drop(task)
        finally:
            self._status.say(preparing="", step=0, steps=0)

    def _await(self, task: "NodeTask") -> Done | str:
        """Return the trainer's answer, or why there is none; empty where nobody wants one.

        Raises:
            StaleTask: if the SuperNode waits for what does not come.
        """
        from zk0_core.engines._flower_tasks import StaleTask

        trainer = self._trainer
        asked, told, received = time.monotonic(), trainer.told, trainer.received
        while True:
            self._check()
            # Looked at first: what it told before it died is in the pipe by then.
            died = trainer.died
            answer = trainer.answer(POLL_SECONDS)
            if isinstance(answer, Failure):
                if answer.stale:
                    raise StaleTask(answer.reason)
                return answer.reason
            if answer is not None:
                return answer
            if trainer.received != received:
                received = trainer.received
                self._status.say(round=received.round)
            if trainer.told != told:
                told = trainer.told
                self._tell_progress(told)
            if died:
                if told.what == SENDING:
                    # Half of the answer is with the SuperNode, which waits for the other half.
                    raise StaleTask(f"the trainer was {died} while it answered")
                return f"the trainer was {died}"
            wanted = self._supernode.alive and task.beat()
            if wanted and time.monotonic() - asked > ASK_SECONDS:
                wanted = self._fleet.goes_on(task.context.node_id, task.context.run_id)
                asked = time.monotonic()
            if not wanted:
                return ""

    def _tell_progress(self, told: Told) -> None:
        if told.what == TRAINING:
            self._status.say(preparing="", step=told.done, steps=told.total)
        elif told.what != SENDING:
            self._status.say(preparing=f"{told.what}: {told.done}/{told.total}")

    def _drop(self, task: "NodeTask") -> None:
        """Stop training at once, and let go of the message."""
        logger.warning("run {} wants no answer any more: training is stopped", task.run)
        self._trainer.restart()
        # Else it would wait for the answer for a minute, and take nothing new.
        self._supernode.stop()

    def _refuse(self, task: "NodeTask", reason: str) -> None:
        """Answer that this cannot be done, so that the admin sees why."""
        from zk0_core.engines.local import CLIENT_FAILED

        self._status.note(reason)
        task.refuse(CLIENT_FAILED, reason)

    def _tell(self, done: Done) -> None:
        """Note what the answer says."""
        received, report, now = self._trainer.received, done.report, self._status.now
        if done.problem:
            self._status.note(done.problem)
        if report is None:
            return
        self._status.say(
            loss=report.loss,
            rounds_done=now.rounds_done + 1,
            bytes_down=now.bytes_down + received.bytes,
            bytes_up=now.bytes_up + done.bytes,
        )
        other = report.seconds - report.seconds_data - report.seconds_compute
        logger.info(
            "round {}: loss {:.4f}; {:.1f} s: data {:.1f}, compute {:.1f}, loading and state "
            "{:.1f}",
            *(received.round, report.loss, report.seconds),
            *(report.seconds_data, report.seconds_compute, other),
        )

    def _await_sent(self, before: int) -> None:
        """Return when the SuperNode is through with the answer: it must not be ended before."""
        deadline = time.monotonic() + SENT_SECONDS
        while self._supernode.alive and self._count_sent() == before:
            self._check()
            if time.monotonic() > deadline:
                self._status.note("the answer could not be sent")
                return
            time.sleep(POLL_SECONDS)

    def _count_sent(self) -> int:
        """Return how many replies the SuperNode is through with, by all that its log ever held."""
        if self._supernode.log.is_file():
            with self._supernode.log.open("rb") as log:
                if log.seek(0, os.SEEK_END) < self._read:
                    self._read = 0  # it was begun anew
                log.seek(self._read)
                text = log.read()
            # A line that is being written counts once it is whole.
            text = text[: text.rfind(b"\n") + 1]
            self._read += len(text)
            self._sent += sum(text.count(line) for line in SENT)
        return self._sent
