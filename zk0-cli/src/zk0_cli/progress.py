"""Progress of long work: one line that moves on a terminal, a few plain lines elsewhere."""

import sys
import time

import click

PLAIN_EVERY_S = 10.0
"""Seconds between two plain lines about the same work."""


class EchoProgress:
    """Tells on stderr how far long work is; called as `zk0_core.data.Progress` says."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._what = ""
        self._told = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` steps of `what` are done."""
        text = f"{what}: {done}/{total}"
        if self._terminal:
            # Back to the line's start, and clear what a longer text left.
            click.echo(f"\r{text}\x1b[K", nl=done >= total, err=True)
            return
        now = time.monotonic()
        if what != self._what or done >= total or now - self._told >= PLAIN_EVERY_S:
            click.echo(text, err=True)
            self._what, self._told = what, now
