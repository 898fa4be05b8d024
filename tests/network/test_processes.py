"""Child processes are started again, and end with their parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from loguru import logger

from zk0_core import logs
from zk0_core.federation.processes import Child, cpu_seconds, ending, is_running, stop_all

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl and /proc")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def child(tmp_path: Path, program: str) -> Child:
    return Child("child", [sys.executable, "-c", program], tmp_path / "child.log")


def test_one_that_ends_is_started_again(tmp_path: Path) -> None:
    short = child(tmp_path, "print('here')")
    short.start()
    until(lambda: not short.alive)
    # The first look notices; a later one, after a wait, starts it.
    assert short.revive()
    assert not short.revive()
    assert short.starts == 1
    until(lambda: short.revive() or short.starts == 2)
    until(lambda: not short.alive)
    assert (tmp_path / "child.log").read_text() == "here\n" * 2


def test_one_that_was_stopped_is_started_at_once(tmp_path: Path) -> None:
    long = child(tmp_path, "import time; time.sleep(600)")
    long.start()
    assert long.alive
    long.stop()
    assert not long.alive
    assert not long.revive()
    assert long.alive
    stop_all([long])
    assert not long.alive


SAYS_GOODBYE = """
import signal, sys, time

def end(*_):
    print("asked", flush=True)
    time.sleep(0.5)
    print("goodbye", flush=True)
    sys.exit()

signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""


def test_one_that_says_goodbye_is_asked_to_end_once(tmp_path: Path) -> None:
    """Asked a second time, a SuperNode ends at once, and the server goes on waiting for it."""
    polite = child(tmp_path, SAYS_GOODBYE)
    log = tmp_path / "child.log"
    polite.start()
    until(lambda: log.read_text() == "up\n")
    polite.ask_to_end()
    until(lambda: "asked" in log.read_text())
    polite.await_end()
    assert log.read_text() == "up\nasked\ngoodbye\n"


SAYS_MUCH = """
import time
from pathlib import Path

print("x" * 2000, flush=True)
while not Path("go-on").exists():
    time.sleep(0.05)
print("more", flush=True)
"""


def test_the_log_of_one_that_says_much_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGE_BYTES", 1000)
    monkeypatch.chdir(tmp_path)
    talker, log = child(tmp_path, SAYS_MUCH), tmp_path / "child.log"
    talker.start()
    until(lambda: log.stat().st_size > 2000)
    assert not talker.revive()
    assert log.stat().st_size == 0
    assert (tmp_path / "child.log.1").stat().st_size == 2001
    # It holds the file open, and goes on at its new end.
    Path("go-on").touch()
    until(lambda: not talker.alive)
    assert log.read_text() == "more\n"
    # What one said before is moved out of the way of the next too.
    log.write_text("y" * 2000)
    talker.start()
    until(lambda: not talker.alive)
    assert log.read_text() == "x" * 2000 + "\nmore\n"
    assert (tmp_path / "child.log.1").read_text() == "y" * 2000
    assert (tmp_path / "child.log.2").stat().st_size == 2001


def test_a_log_that_cannot_be_kept_is_emptied_all_the_same(tmp_path: Path) -> None:
    quiet, log = child(tmp_path, ""), tmp_path / "child.log"
    log.touch()
    os.truncate(log, logs.LARGE_BYTES + 1)
    (tmp_path / "child.log.1").mkdir()
    (tmp_path / "child.log.2").touch()
    lines: list[str] = []
    number = logger.add(lambda line: lines.append(line), format="{message}")
    quiet.keep_log_small()
    logger.remove(number)
    (line,) = lines
    assert line.startswith("what child had said so far could not be kept: ")
    assert log.stat().st_size == 0


@linux
def test_how_much_a_process_has_computed() -> None:
    before = cpu_seconds(os.getpid())
    assert before is not None
    until(lambda: (cpu_seconds(os.getpid()) or 0.0) > before)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert cpu_seconds(gone.pid) is None


def test_how_a_process_ended_in_words() -> None:
    assert ending(-9) == "killed by signal 9"
    assert ending(3) == "exit status 3"


@linux
def test_one_that_nobody_has_asked_after_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    until(lambda: not is_running(process.pid))
    process.wait()
    assert not is_running(process.pid)
    assert is_running(os.getpid())


@linux
def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; "
        "from zk0_core.federation.processes import Child; "
        "child = Child('c', [sys.executable, '-c', 'import time; time.sleep(600)'], "
        "Path('c.log')); child.start(); "
        "print(child.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    # Past the wrapper, which asks to be ended with its parent before it becomes the program.
    # For a moment, in between, it has no command line at all.
    words = Path(f"/proc/{pid}/cmdline")
    until(lambda: any(b"sleep" in word for word in words.read_bytes().split(b"\0")[2:3]))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until(lambda: not is_running(pid))
