"""Waits for a trainer to open its dataset: as long as it gives signs of life."""

import time
from collections.abc import Callable
from pathlib import Path

from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.node_status import StatusFile
from zk0_core.federation.processes import cpu_seconds
from zk0_core.federation.trainer import Failure, Trainer

POLL_SECONDS = 0.2
SILENT_SECONDS = 600.0
"""A trainer that gives no sign of life for so long is given up."""
WORK_SECONDS = 1.0
"""So much computing is a sign of life: a download of the Hub's tells of nothing before its end."""


def await_dataset(
    trainer: Trainer, status: StatusFile, logs: Path, check: Callable[[], None]
) -> None:
    """Return once `trainer` has opened its dataset, be it a download of hours.

    Args:
        trainer: It may have failed at it before, and was started again.
        status: Is told how far it is.
        logs: Where the trainer's log lies.
        check: Called while waiting; raises when the node is to end.

    Raises:
        UsageError: if the dataset cannot be used; the text is its loader's.
        Zk0Error: for the same reason, or if the trainer ended or hangs.
    """
    told, worked, alive = trainer.told, 0.0, time.monotonic()
    while not trainer.ready:
        check()
        died = trainer.died  # before its pipe is looked into, where its last word still is
        answer = trainer.answer(POLL_SECONDS)
        if isinstance(answer, Failure):
            raise (UsageError if answer.usage else Zk0Error)(answer.reason)
        if trainer.told is not told:
            told, alive = trainer.told, time.monotonic()
            status.say(preparing=f"{told.what}: {told.done}/{told.total}")
        elif died and not trainer.ready:
            raise Zk0Error(f"the trainer did not start ({died}); see {logs}")
        work = cpu_seconds(trainer.pid)
        if work is None or work > worked + WORK_SECONDS:
            worked, alive = work or 0.0, time.monotonic()
        if time.monotonic() - alive > SILENT_SECONDS:
            raise Zk0Error(
                f"the trainer gave no sign of life for {SILENT_SECONDS:.0f} s while it opened its "
                f"dataset; see whether its disk answers, and {logs}"
            )
    status.say(preparing="")
