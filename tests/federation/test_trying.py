"""What a node does about what fails: told once, tried again after longer and longer waits."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from zk0_core.errors import Zk0Error
from zk0_core.federation import trying
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.node_status import StatusFile
from zk0_core.federation.records import NodeStatus
from zk0_core.federation.trying import Attempts, Stopped


class Operator:
    """Who sees what a node tells, and may end it; time passes as the node waits."""

    def __init__(self, folder: Path) -> None:
        now = NodeStatus(pid=1, name="ann", server="", dataset="toy:ann", started="")
        self.status = StatusFile(NodeFolder(folder), now)
        self.ended: list[int] = []
        self.told: list[str] = []
        self.seconds = 0.0
        self.attempts = Attempts(self.status, self.ended, self.told.append)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    operator = Operator(tmp_path)
    clock = SimpleNamespace(monotonic=lambda: operator.seconds, sleep=operator.sleep)
    monkeypatch.setattr(trying, "time", clock)
    return operator


def failing(times: int):
    """Return an attempt that fails so often."""
    left = iter(range(times))

    def attempt() -> None:
        if next(left, None) is not None:
            raise Zk0Error("no server")

    return attempt


def test_waits_grow_until_it_works(operator: Operator) -> None:
    """1 + 2 + 4 + 8 + 16 + 30 + 30 seconds; afterwards the next is a short one."""
    operator.attempts.until_it_works(failing(7))
    waits = [line.removeprefix("no server; trying again in ") for line in operator.told]
    assert waits == ["1 s", "2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]
    assert operator.seconds == pytest.approx(91)
    assert operator.status.now.errors == 7
    operator.attempts.until_it_works(failing(1))
    assert operator.told[-1] == "no server; trying again in 1 s"


def test_what_fails_in_the_same_way_again_is_told_once(operator: Operator) -> None:
    for text in ("no server", "no server", "no disk"):
        operator.attempts.failed(Zk0Error(text))
    assert operator.told == ["no server; trying again", "no disk; trying again"]
    now = operator.status.now
    assert (now.errors, now.last_error, now.state) == (3, "no disk", "trying again")


def test_a_node_that_is_told_to_end_waits_no_longer(operator: Operator) -> None:
    operator.attempts.check()
    operator.ended.append(15)
    with pytest.raises(Stopped):
        operator.attempts.sleep(3600)
    assert operator.seconds == 0
