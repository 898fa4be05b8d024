"""A run that is killed leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.long

RUN_FILE = """
rounds = 1000
local_steps = 1
batch_size = 2
checkpoint_every = 0
workers = 2
reporters = []
[policy]
name = "smolvla-tiny"
[[clients]]
dataset = "sim:lift?region=left&episodes=2"
[[clients]]
dataset = "sim:lift?region=right&episodes=2"
"""


def session(leader: int) -> list[psutil.Process]:
    """Return the processes of a session that have not ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue  # it has just ended
    return found


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return met


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(RUN_FILE)
    zk0 = Path(sys.executable).parent / "zk0"
    with (tmp_path / "printed").open("w") as printed:
        run = subprocess.Popen(
            [zk0, "run", "run.toml", "--output", "output"],
            cwd=tmp_path,
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
    try:
        # Both clients have trained, so both workers are up.
        files = [tmp_path / "output" / "clients" / c / "round_1.json" for c in ("left", "right")]
        trained = wait_until(
            lambda: all(f.is_file() for f in files) or run.poll() is not None, seconds=300
        )
        assert trained and run.poll() is None, (tmp_path / "printed").read_text()
        # The command, the fork server, its resource tracker and two workers.
        assert len(session(run.pid)) >= 4
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        wait_until(lambda: not session(run.pid), seconds=30)
        assert session(run.pid) == []
    finally:
        if run.poll() is None:
            run.kill()
            run.wait()
        for process in session(run.pid):
            process.kill()
