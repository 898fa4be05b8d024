"""Processes in the background: their end, and their logs."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

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

    Raises:
        Zk0Error: if there is no such log.
    """
    if not path.is_file():
        raise Zk0Error(f"{path} is not there: nothing was logged yet")
    with path.open(encoding="utf-8", errors="replace") as log:
        for line in log.readlines()[-SHOWN_LINES:]:
            click.echo(line, nl=False)
        while follow:
            line = log.readline()
            if line:
                click.echo(line, nl=False)
            elif until():
                return
            else:
                time.sleep(POLL_SECONDS)
