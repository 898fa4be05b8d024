"""A trainer may take hours to open its dataset, but not be silent for ten minutes."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.network.world import PLUGIN
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation import opening
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.node_status import StatusFile
from zk0_core.federation.opening import await_dataset
from zk0_core.federation.records import NodeStatus
from zk0_core.federation.trainer import Failure, Told, Trainer, TrainerSettings

Await = Callable[..., None]
"""Called as wait(*looks, died=""), see `SlowTrainer`."""


@pytest.fixture
def status(tmp_path: Path) -> StatusFile:
    now = NodeStatus(pid=1, name="ann", server="", dataset="toy:ann", started="")
    return StatusFile(NodeFolder(tmp_path), now)


class SlowTrainer:
    """What is to be seen of a trainer at every look, 400 s apart: no test can wait so long.

    It tells how far it is, has computed for some seconds, fails, is ready, or nothing at all.
    """

    pid = 1

    def __init__(self, *looks: Told | float | Failure | str | None) -> None:
        self.seconds = self.worked = 0.0
        self.told, self.ready, self.died = Told(), False, ""
        self._looks = iter(looks)

    def answer(self, seconds: float) -> Failure | None:
        self.seconds += 400.0
        match next(self._looks):
            case Failure() as failure:
                return failure
            case Told() as told:
                self.told = told
            case float(worked):
                self.worked += worked
            case "ready":
                self.ready = True
        return None


@pytest.fixture
def wait(status: StatusFile, monkeypatch: pytest.MonkeyPatch) -> Await:
    def wait(*looks: Told | float | Failure | str | None, died: str = "") -> None:
        trainer = SlowTrainer(*looks)
        trainer.died = died
        monkeypatch.setattr(opening, "time", SimpleNamespace(monotonic=lambda: trainer.seconds))
        monkeypatch.setattr(opening, "cpu_seconds", lambda pid: trainer.worked)
        await_dataset(trainer, status, Path("logs"), lambda: None)

    return wait


def test_one_that_tells_how_far_it_is_is_waited_for(wait: Await) -> None:
    wait(*(Told("downloading", done, 10) for done in range(10)), "ready")
    # That nothing more is done than before is a word too.
    wait(*(Told("downloading", 1, 10) for _ in range(10)), "ready")


def test_one_that_works_is_waited_for(wait: Await) -> None:
    """A download that tells of nothing computes: it decrypts."""
    wait(*[2.0] * 10, "ready")


def test_one_that_gives_no_sign_of_life_is_given_up(wait: Await) -> None:
    with pytest.raises(Zk0Error) as problem:
        wait(Told("downloading", 1, 10), 0.5, None)
    assert str(problem.value) == (
        "the trainer gave no sign of life for 600 s while it opened its dataset; see whether its "
        "disk answers, and logs"
    )


def test_what_one_that_has_ended_said_before_is_heard(wait: Await) -> None:
    word = Told("downloading", 1, 10)
    with pytest.raises(UsageError, match=r"^no such dataset$"):
        wait(word, Failure("no such dataset", usage=True), died="exit status 0")
    with pytest.raises(Zk0Error, match=r"^the trainer did not start \(exit status 1\); see logs$"):
        wait(word, None, died="exit status 1")


def test_how_far_it_is_stands_in_the_status(wait: Await, status: StatusFile) -> None:
    with pytest.raises(UsageError, match=r"^no such dataset$"):
        wait(Told("downloading", 1, 10), Failure("no such dataset", usage=True))
    assert status.now.preparing == "downloading: 1/10"
    wait("ready")
    assert status.now.preparing == ""


def test_a_trainer_tells_of_its_dataset(
    status: StatusFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    logs = tmp_path / "logs"
    trainer = Trainer(TrainerSettings(name="ann", dataset="toy:ann", state=tmp_path, logs=logs))
    try:
        await_dataset(trainer, status, logs, lambda: None)
        assert trainer.told == Told("toy download", 1, 1)
    finally:
        trainer.stop()
    trainer.ready = False
    with pytest.raises(Zk0Error) as problem:
        await_dataset(trainer, status, logs, lambda: None)
    assert str(problem.value) == (
        f"the trainer did not start (killed by signal 9; was memory short?); see {logs}"
    )
