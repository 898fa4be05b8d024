"""A run that is killed at any moment and resumed ends with the same bytes as one that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.small_runs import history_without_times, model_hash, small_plan
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.history import to_line
from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.run import resume
from zk0_core.runfile import plan_to_json
from zk0_core.server.checkpoint import Checkpoint, Checkpoints
from zk0_core.server.output import RunFolder
from zk0_core.testing import examples

KILLS = int(os.environ.get("ZK0_KILLS", "5"))
"""How many runs are killed, at moments drawn from the test's own seed; CI asks for more."""

PROGRAM = (
    "import sys; from pathlib import Path; from zk0_core.run import run; "
    "from zk0_core.runfile import plan_from_json; "
    "run(plan_from_json(sys.stdin.read()), Path(sys.argv[1]))"
)


DYING = f"""
import importlib, os, signal
{PROGRAM.rpartition("; ")[0]}

module, name, calls = importlib.import_module(sys.argv[2]), sys.argv[3], int(sys.argv[4])
function = getattr(module, name)


def deadly(*args, **kwargs):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*args, **kwargs)


setattr(module, name, deadly)
{PROGRAM.rpartition("; ")[2]}
"""
"""PROGRAM, killed when a function of a module is called for the so-manieth time."""

MOMENTS = {
    # One of the two updates of round 2 is in, the other on its way.
    "training": ("zk0_core.server.rounds", "fold_in", "4"),
    # The strategy has made new parameters in round 2, and its state is that of the round to come.
    "aggregation": ("zk0_core.server.rounds", "fitting", "2"),
    # Of round 1's two evaluators, after 2 of round 0, one is done.
    "evaluation": ("zk0_core.server.evaluation", "build_evaluator", "4"),
    # Round 2 is in the history; of its checkpoint, the third of two files each, one is written.
    "checkpoint": ("zk0_core.server.checkpoint", "write_tensors", "6"),
}


def plan() -> RunPlan:
    """Three rounds with a strategy that has a state of its own, a model saved after each."""
    strategy = PluginChoice("strategy", "fedavgm", {"momentum": 0.9, "lr": 1.0})
    return small_plan(
        rounds=3, eval_every=1, strategy=strategy, mu_schedulers=(), reporters=(), workers=1
    )


def started(folder: Path, program: str = PROGRAM, *arguments: str) -> subprocess.Popen[str]:
    """Start the run in a process of its own, and return once its plan is written."""
    command = [sys.executable, "-c", program, str(folder), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(plan_to_json(plan()))
    process.stdin.close()
    while not (folder / "plan.json").is_file():
        assert process.poll() is None
        time.sleep(0.02)
    return process


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """The run that nobody killed, and how long it took from its plan to its end."""
    folder = tmp_path_factory.mktemp("runs") / "reference"
    process = started(folder)
    began = time.monotonic()
    assert process.wait() == 0
    return folder, time.monotonic() - began


@pytest.mark.long
@pytest.mark.parametrize("kill", range(KILLS))
def test_a_killed_run_ends_as_if_it_never_was(
    kill: int, reference: tuple[Path, float], tmp_path: Path
) -> None:
    whole, seconds = reference
    process = started(tmp_path / "run")
    time.sleep(random.Random(kill).uniform(0, seconds))
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not (tmp_path / "run/models/final/zk0.json").is_file():
        resume(tmp_path / "run")
    assert model_hash(tmp_path / "run") == model_hash(whole)
    assert history_without_times(tmp_path / "run") == history_without_times(whole)


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_killed_in_the_middle_of_something_ends_the_same(
    moment: str, reference: tuple[Path, float], tmp_path: Path
) -> None:
    """Moments drawn at random rarely fall into what takes milliseconds."""
    process = started(tmp_path / "run", DYING, *MOMENTS[moment])
    assert process.wait() == -signal.SIGKILL
    resume(tmp_path / "run")
    assert model_hash(tmp_path / "run") == model_hash(reference[0])
    assert history_without_times(tmp_path / "run") == history_without_times(reference[0])


def test_a_finished_run_is_not_resumed(reference: tuple[Path, float]) -> None:
    with pytest.raises(UsageError, match=r"is finished; start another run with zk0 run"):
        resume(reference[0])


def test_a_run_under_way_is_not_resumed(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(plan_to_json(plan()))
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(UsageError, match=r"being written by another process; wait for it, or stop"),
    ):
        resume(tmp_path)


def test_what_is_no_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no run: plan.json is not there; name a run's folder"):
        resume(tmp_path)


def write_history(folder: Path) -> list[bytes]:
    lines = [to_line(record).encode() for record in examples.history(3).rounds]
    (folder / "history.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return lines


def test_the_history_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    lines = write_history(tmp_path)
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(b'{"round": 4, "pol')
    history = RunFolder(tmp_path).back_to(2)
    assert [record.round for record in history.rounds] == [0, 1, 2]
    assert (tmp_path / "history.jsonl").read_bytes().splitlines() == lines[:3]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b'"round": 1,', b'"round": 7,', "is not the record of round 1: it is of round 7; restore"),
        (
            b'"lr": 0.001',
            b'"lr": "0.1"',
            "is not the record of round 1: not of type float: '0.1' @ $.clients[0].lr",
        ),
        (
            b'"lr": 0.001',
            b'"lr": NaN',
            "is not the record of round 1: not finite @ $.clients[0].lr",
        ),
        (b'"round": 1,', b'"round": \xff,', "is not the record of round 1: 'utf-8' codec can't"),
    ],
)
def test_a_damaged_history_is_no_way_to_go_on(tmp_path: Path, old, new, text) -> None:
    lines = write_history(tmp_path)
    lines[1] = lines[1].replace(old, new)
    (tmp_path / "history.jsonl").write_bytes(b"\n".join(lines))
    with pytest.raises(Zk0Error) as refused:
        RunFolder(tmp_path).back_to(2)
    assert str(refused.value).startswith(f"line 2 of {tmp_path / 'history.jsonl'} {text}")


def test_a_history_that_is_too_short_is_no_way_to_go_on(tmp_path: Path) -> None:
    write_history(tmp_path)
    with pytest.raises(Zk0Error, match=r"has 4 rounds and the checkpoint is of round 9; restore"):
        RunFolder(tmp_path).back_to(9)


def test_a_damaged_plan_is_no_way_to_go_on(tmp_path: Path) -> None:
    text = plan_to_json(plan()).replace('"rounds": 3', '"rounds": 0')
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageError) as refused:
        resume(tmp_path)
    assert str(refused.value) == (
        "the plan is not one of this version of zk0: rounds must be ≥ 1, got 0; restore plan.json, "
        "or use the version that wrote it"
    )


def test_two_checkpoints_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.last() is None
    for round in range(12):
        checkpoints.save(Checkpoint(round, {}, {}))
    # Rounds are numbers, not texts: 11 comes after 9.
    assert sorted(path.name for path in tmp_path.glob("round_*")) == ["round_10", "round_11"]
    last = checkpoints.last()
    assert last is not None
    assert last.round == 11
