"""A node's trainer, as its runner sees it: a process that is asked, and tells."""

import contextlib
import multiprocessing
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from zk0_core.data import TRAINING
from zk0_core.federation.records import DatasetSummary

if TYPE_CHECKING:
    from zk0_core.engines._flower_tasks import Handed
    from zk0_core.wire.orders import RoundReport

SENDING = "sending"
"""What is told once an answer is on its way to the SuperNode."""


@attrs.frozen(kw_only=True)
class TrainerSettings:
    """What a trainer is and trains on; all of it is the node operator's."""

    name: str
    dataset: str
    rename: Mapping[str, str] = attrs.field(factory=dict)
    device: str = "cpu"
    state: Path
    """Where the client's states go, one folder a run; what it released is counted beside it."""
    logs: Path
    epsilon: float | None = None
    """What the client spends of its privacy, at most; None for as much as the run says."""
    name_dataset: bool = False
    """Whether the admin is told the dataset's address."""


@attrs.frozen
class Failure:
    """What a trainer could not do."""

    reason: str
    usage: bool = False
    stale: bool = False
    """Whether the SuperNode holds what nobody can answer any more."""


@attrs.frozen
class Told:
    """How far a round is: what is being done, how much of it is, and how much there is."""

    what: str = TRAINING
    done: int = 0
    total: int = 0


@attrs.frozen
class Received:
    """A message is here: the round that it asks for, 0 for none, and its tensors' bytes."""

    round: int = 0
    bytes: int = 0


@attrs.frozen
class Done:
    """A message is answered."""

    report: "RoundReport | None" = None
    """Of a round that was trained."""
    bytes: int = 0
    """Of the answer's tensors."""
    problem: str = ""
    """What the answer says instead."""


class Trainer:
    """A trainer process; one thing at a time is asked of it."""

    def __init__(self, settings: TrainerSettings) -> None:
        self._settings = settings
        self._start()

    def _start(self) -> None:
        from zk0_core.federation.memory import memory_kept_by_children
        from zk0_core.federation.trainer_process import serve

        # Spawned, not forked: a fork would share connections, and locks that threads hold.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(self._settings, theirs), name="zk0-trainer", daemon=True
        )
        with memory_kept_by_children():
            self._process.start()
        theirs.close()
        self.ready = False
        self.about: DatasetSummary | None = None
        """How much the dataset is, once it is opened."""
        self._ask_anew()

    def _ask_anew(self) -> None:
        self.told = Told()
        self.received = Received()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def died(self) -> str:
        """How the process ended, in words; empty while it lives."""
        from zk0_core.federation.processes import ending

        status = self._process.exitcode
        if status is None:
            return ""
        hint = "; was memory short?" if status == -signal.SIGKILL else ""
        return ending(status) + hint

    def ask(self, run: str, task: "Handed") -> None:
        """Have a message of `run` answered."""
        self._ask_anew()
        # A process that is gone shows in `died`.
        with contextlib.suppress(OSError):
            self._pipe.send((run, task))

    def answer(self, seconds: float) -> Done | Failure | None:
        """Return an answer if one comes within `seconds`; None if not, or if the process died.

        All that was told until now is taken in. The first answer, to no question, says whether the
        dataset can be used.
        """
        with contextlib.suppress(EOFError, OSError):
            while self._pipe.poll(seconds):
                seconds = 0.0
                told: Done | Failure | Told | Received | DatasetSummary = self._pipe.recv()
                if isinstance(told, Done | Failure):
                    return told
                if isinstance(told, Told):
                    self.told = told
                elif isinstance(told, Received):
                    self.received = told
                else:
                    self.about, self.ready = told, True
        return None

    def restart(self) -> None:
        """End the process, at once and whatever it is at, and start another."""
        self.stop()
        self._start()

    def stop(self) -> None:
        """End the process at once: files are whole or not there."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
