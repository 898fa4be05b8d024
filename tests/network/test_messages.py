"""How a node learns that an answer is sent, or that none will be."""

import multiprocessing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zk0_core.data import TRAINING
from zk0_core.engines._flower_tasks import StaleTask
from zk0_core.engines.bundle import bundle
from zk0_core.engines.local import CLIENT_FAILED
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.messages import Messages
from zk0_core.federation.node_status import StatusFile
from zk0_core.federation.processes import Child
from zk0_core.federation.records import NodeStatus, read
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


class Task:
    """One message of a server that sent `bundle` along, without a SuperNode that has it."""

    run = "a-run"
    handed = "what a trainer is asked with"

    def __init__(self, bundle: bytes) -> None:
        self.bundle = bundle
        self.answered: list[tuple[int, str]] = []
        self.closed = False

    def refuse(self, code: int, reason: str) -> None:
        self.answered.append((code, reason))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def status(tmp_path: Path) -> StatusFile:
    now = NodeStatus(pid=1, name="ann", server="", dataset="toy:ann", started="")
    return StatusFile(NodeFolder(tmp_path), now)


def _answer(sent: bytes, status: StatusFile, log: Path) -> tuple[Task, list[Any]]:
    """Return what became of a message with the bundle `sent`, and what reached the trainer."""
    trainer, theirs = _trainer_of_words()
    task: Any = Task(sent)
    nobody: Any = None
    Messages(trainer, Child("supernode", [], log), nobody, status, lambda: None).answer(task)
    return task, [theirs.recv()] if theirs.poll() else []


@pytest.mark.parametrize("other", [b"", b"another app", bundle() + b"\0"])
def test_another_app_than_the_nodes_own_is_refused(
    status: StatusFile, tmp_path: Path, other: bytes
) -> None:
    task, asked = _answer(other, status, tmp_path / "supernode.log")
    reason = (
        "the server sent another app than this node's own; install the same version of zk0 on both"
    )
    assert task.answered == [(CLIENT_FAILED, reason)]
    assert task.closed
    assert asked == []
    said = read(tmp_path / "status.json", NodeStatus)
    assert said is not None
    assert (said.errors, said.last_error, said.state) == (1, reason, "starting")


def test_with_the_nodes_own_app_the_trainer_is_asked(status: StatusFile, tmp_path: Path) -> None:
    task, asked = _answer(bundle(), status, tmp_path / "supernode.log")
    assert asked == [(task.run, task.handed)]
    # It is one that has died.
    assert task.answered == [(CLIENT_FAILED, "the trainer was killed")]
    assert task.closed
