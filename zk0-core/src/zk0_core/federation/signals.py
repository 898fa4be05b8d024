"""Processes that run until they are told to end, one a folder."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zk0_core.errors import UsageError

LOG_FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level: <7} {message}"
"""Of the logs of servers and nodes."""


@contextmanager
def ended_by_signal() -> Iterator[list[int]]:
    """Yield a list that gets the number of a signal to end; the signals are ours until then."""
    got: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {
        number: signal.signal(number, lambda number, frame: got.append(number))
        for number in numbers
    }
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def only_one(lock_file: Path, otherwise: str) -> Iterator[None]:
    """Hold `lock_file`.

    Raises:
        UsageError: with the text `otherwise`, if another process holds it.
    """
    from filelock import FileLock, Timeout

    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(otherwise) from None
    try:
        yield
    finally:
        lock.release()
