"""Processes that run until they are told to end, one a folder."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zk0_core.errors import UsageError

LOG_FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level: <7} {message}"
"""Of the logs of servers and nodes."""
PROBED_SECONDS = 0.5
"""What a lock gets to become free: `is_held` has it for a moment when nobody else does."""


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
        lock.acquire(timeout=PROBED_SECONDS)
    except Timeout:
        raise UsageError(otherwise) from None
    try:
        yield
    finally:
        lock.release()


def is_held(lock_file: Path) -> bool:
    """Whether a process holds `lock_file`, as `only_one` does; it is not kept from any.

    A process id that was written down tells less: after a loss of power it may be a stranger's.
    A lock is free once its process is gone, however it went. Where there is no telling, on a disk
    without locks or for another user, it is taken for held.
    """
    import fcntl

    try:
        with lock_file.open("rb") as probe:
            # Shared, so that those who ask are not in each other's way. Closing lets go of it.
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
