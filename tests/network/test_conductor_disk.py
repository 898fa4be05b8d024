"""A disk that is full while runs are started and end: nothing is lost, or done twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disks import fill, mounted
from tests.network.conducting import node, submit
from zk0_core.engines._flower_control import FINISHED, RunState
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import ServerSettings
from zk0_core.runfile import plan_to_json
from zk0_core.testing import examples


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Where runs lie: a disk of their own."""
    with mounted(ServerFolder(tmp_path).runs, 1) as place:
        yield place


def problems(logged: list[str]) -> list[str]:
    return [line for line in logged if "disk" in line]


def test_a_run_is_started_and_ends_once(look, runs, superlink, disk, logged) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    filler = disk / "filler"
    fill(filler)
    for _ in range(3):
        look()
    told = f"the disk of {disk} is full; free some, and runs go on by themselves"
    assert problems(logged) == [told]
    assert (superlink.started, runs.find(entry.name).state) == ([entry.name], "queued")
    filler.unlink()
    look()
    assert (superlink.started, runs.find(entry.name).flower_run) == ([entry.name], 1)

    runs.tell_outcome(entry.name, "")
    superlink.states[1] = RunState(FINISHED, "completed", "")
    fill(filler)
    for _ in range(2):
        look()
    # Full again after all was well: that is told again.
    assert problems(logged) == [told, told]
    assert runs.find(entry.name).state == "running"
    filler.unlink()
    look()
    assert (superlink.started, runs.find(entry.name).state) == ([entry.name], "done")


def test_a_session_that_cannot_be_written_leaves_nothing(look, runs, superlink, disk) -> None:
    superlink.known = [node("ann")]
    fill(disk / "filler")
    auto = ServerSettings(auto=plan_to_json(examples.plan()))
    for _ in range(3):
        look(auto)
    assert [path.name for path in disk.iterdir()] == ["filler"]
    (disk / "filler").unlink()
    look(auto)
    assert [run.state for run in runs.all()] == ["queued"]


def test_what_else_a_disk_says_is_told_once(look, runs, superlink, tmp_path, logged) -> None:
    """A file lies where the folder of runs is to be."""
    superlink.known = [node("ann")]
    (tmp_path / "runs").write_text("")
    auto = ServerSettings(auto=plan_to_json(examples.plan()))
    for _ in range(2):
        look(auto)
    assert logged == [
        f"runs cannot be read or written in {tmp_path / 'runs'}: Not a directory; it is tried again"
    ]
    assert superlink.started == []
