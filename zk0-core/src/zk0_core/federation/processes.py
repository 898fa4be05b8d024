"""Child processes that are started, watched, started again, and ended with their parent."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
from loguru import logger

from zk0_core.engines.quiet import ENVIRONMENT
from zk0_core.logs import begin_anew_when_large

END_SECONDS = 8.0
"""What a child gets to end by itself before it is killed; most need one or two."""
STEADY_SECONDS = 60.0
"""A child that ran so long starts again at once, and its next wait is short again."""
LONGEST_WAIT = 30.0


@attrs.define
class Child:
    """One program beside us."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = attrs.field(factory=dict)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    _started: float = 0.0
    _wait: float = 0.5
    _not_before: float = 0.0

    def start(self) -> None:
        """Start it; what it prints goes to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.keep_log_small()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "zk0_core.federation.child",
                    str(os.getpid()),
                    *self.command,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **quiet_environment(), **self.environment},
                # Ctrl-C reaches the parent, which ends its children in order.
                start_new_session=True,
            )
        self.starts += 1
        self._started = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def revive(self) -> bool:
        """Start it again if it has ended and has waited long enough; return whether it had ended.

        It waits longer from time to time while it does not stay up.
        """
        if self.alive:
            self.keep_log_small()
            return False
        now = time.monotonic()
        ended = self.process is not None
        if ended and self._not_before < self._started:
            assert self.process is not None
            if now - self._started > STEADY_SECONDS:
                self._wait = 0.5
            self._not_before = now + self._wait
            logger.error(
                "{} ended ({}); it starts again in {:.1f} s, its log is {}",
                self.name,
                ending(self.process.returncode),
                self._wait,
                self.log,
            )
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            self._end_rest(self.process.pid)
            return True
        if now >= self._not_before:
            self.start()
        return False

    def keep_log_small(self) -> None:
        """Begin its log anew once it is large; to be called now and then while it runs."""
        try:
            begin_anew_when_large(self.log)
        except OSError as problem:
            logger.warning("what {} had said so far could not be kept: {}", self.name, problem)

    def load_again(self) -> None:
        """Have it load its files again, without an end; for programs that take SIGHUP for that."""
        if self.process is not None and self.alive:
            self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it: politely first. It may be started again at once."""
        self.ask_to_end()
        self.await_end()

    def ask_to_end(self) -> None:
        """Ask it to end by itself; once only, since programs take a second time for "at once"."""
        if self.process is not None and self.alive:
            self.process.terminate()

    def await_end(self, seconds: float = END_SECONDS) -> None:
        """Return once it has ended, as it was asked to; it is killed if it has not in `seconds`."""
        process, self.process = self.process, None
        if process is None:
            return
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            logger.warning("{} did not end in {} s and is killed", self.name, END_SECONDS)
            process.kill()
            process.wait()
            self._end_rest(process.pid)

    def _end_rest(self, group: int) -> None:
        """End what it started and left behind: it had a process group of its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def stop_all(children: Sequence[Child]) -> None:
    """End all `children`, at the same time."""
    for child in children:
        child.ask_to_end()
    deadline = time.monotonic() + END_SECONDS
    for child in children:
        child.await_end(max(deadline - time.monotonic(), 0.0))


def ending(status: int) -> str:
    """Return how a process ended, in words: "killed by signal 9", "exit status 1"."""
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"


def quiet_environment() -> dict[str, str]:
    """Return the environment that keeps Flower from phoning home and from installing anything."""
    return {
        **ENVIRONMENT,
        "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


def is_running(pid: int) -> bool:
    """Whether there is a process `pid` that has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and its parent has not asked how; told on Linux alone."""
    return _stat(pid)[:1] == ["Z"]


def cpu_seconds(pid: int) -> float | None:
    """Return the seconds that a process has computed; None where there is no telling."""
    user_and_system = _stat(pid)[11:13]
    return sum(map(int, user_and_system)) / os.sysconf("SC_CLK_TCK") if user_and_system else None


def _stat(pid: int) -> list[str]:
    """Return what Linux tells of a process from its state on; see proc_pid_stat(5)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def free_port() -> int:
    """Return a port of the loopback address that nobody uses now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
