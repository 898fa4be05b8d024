"""Processes in the background: their end, and their logs."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import click

from zk0_core.errors import Zk0Error
from zk0_core.federation.processes import is_running

SHOWN_LINES = 40
POLL_SECONDS = 0.3


def end(pid: int, seconds: float) -> None:
    """Tell process `pid` to end, and return when it has.

    Raises:
        Zk0Error: if it has not after `seconds`.
    """
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            raise Zk0Error(f"process {pid} has not ended after {seconds:.0f} s; see its log")
        time.sleep(0.1)


def echo_log(path: Path, follow: bool, until: Callable[[], bool] = lambda: False) -> None:
    """Print the end of a log; with `follow` also what comes, until `until` or Ctrl-C.

    A log that is begun anew is followed from its new beginning.

    Raises:
        Zk0Error: if there is no such log.
    """
    if not path.is_file():
        raise Zk0Error(f"{path} is not there: nothing was logged yet")
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in log.readlines()[-SHOWN_LINES:]:
            click.echo(line, nl=False)
        goes_on = follow and _follow(log, path, until)
    while goes_on:
        with path.open(encoding="utf-8", errors="replace") as log:
            goes_on = _follow(log, path, until)


def _follow(log: TextIO, path: Path, until: Callable[[], bool]) -> bool:
    """Print what comes; return True once `path` is begun anew, and False after `until`."""
    while True:
        line = log.readline()
        if line:
            click.echo(line, nl=False)
        elif _is_begun_anew(log, path):
            # What came between our last look and its new name.
            click.echo(log.read(), nl=False)
            return True
        elif until():
            return False
        else:
            time.sleep(POLL_SECONDS)


def _is_begun_anew(log: TextIO, path: Path) -> bool:
    """Whether `log`, read to its end, is no more what `path` names, or was emptied."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return False  # it has another name, and the new one is still to come
    read = os.lseek(log.fileno(), 0, os.SEEK_CUR)  # bytes
    return now.st_ino != os.fstat(log.fileno()).st_ino or now.st_size < read
