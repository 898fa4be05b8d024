"""How a node learns that an answer is sent, or that none will be."""

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zk0_core.data import TRAINING
from zk0_core.engines._flower_tasks import StaleTask
from zk0_core.federation.messages import Messages
from zk0_core.federation.processes import Child
from zk0_core.federation.trainer import SENDING, Failure, Received, Told, Trainer


def test_replies_are_counted_on_where_the_last_look_ended(tmp_path: Path) -> None:
    log = tmp_path / "supernode.log"
    nobody: Any = None
    messages = Messages(nobody, Child("supernode", [], log), nobody, nobody, lambda: None)
    assert messages._count_sent() == 0
    log.write_text("Sent successfully\nFailed to send\nSent succ")
    assert messages._count_sent() == 2
    with log.open("a") as end:
        end.write("essfully\n")
    assert messages._count_sent() == 3
    assert messages._count_sent() == 3
    # Begun anew: what it told of before still counts.
    log.write_text("Ignoring reply\n")
    assert messages._count_sent() == 4


class DeadTrainer(Trainer):
    """One whose process has ended; what it told waits in the pipe."""

    died = "killed"  # type: ignore[assignment]

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._ask_anew()


def _trainer_of_words() -> tuple[Trainer, Any]:
    ours, theirs = multiprocessing.Pipe()
    return DeadTrainer(ours), theirs


def _answer_of_one_that_died(*told: Told) -> Any:
    """Return what becomes of a message whose trainer told so much and was killed."""
    trainer, theirs = _trainer_of_words()
    for word in (Received(1, 4), *told):
        theirs.send(word)
    theirs.close()
    nobody: Any = SimpleNamespace(say=lambda **said: None)
    return Messages(trainer, nobody, nobody, nobody, lambda: None)._await(nobody)


def test_of_a_trainer_that_died_at_work_the_server_is_told() -> None:
    assert _answer_of_one_that_died(Told(TRAINING, 1, 3)) == "the trainer was killed"


def test_half_an_answer_is_no_refusal() -> None:
    """A SuperNode that has the first pieces of an answer waits for the others, and for ever."""
    with pytest.raises(StaleTask, match="the trainer was killed while it answered"):
        _answer_of_one_that_died(Told(TRAINING, 1, 3), Told(SENDING))


def test_a_stale_message_is_no_refusal() -> None:
    gone = Failure("a message could not be taken: it is gone", stale=True)
    trainer, theirs = _trainer_of_words()
    theirs.send(gone)
    nobody: Any = None
    with pytest.raises(StaleTask, match="a message could not be taken: it is gone"):
        Messages(trainer, nobody, nobody, nobody, lambda: None)._await(nobody)
