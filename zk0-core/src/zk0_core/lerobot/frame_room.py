"""Room on disk for decoded frames: what was not used for longest makes place for what is new."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from zk0_core.cache import SPARE
from zk0_core.disk import free_bytes
from zk0_core.errors import DataError
from zk0_core.files import remove_folder, remove_gone

LIMIT = "ZK0_FRAMES_GB"
"""Environment variable: how many GB decoded frames may take together; without it, the disk."""
_GB = 1_000_000_000


@contextmanager
def made_room(shelf: Path, needed: int, uri: str) -> Iterator[None]:
    """Remove decoded frames from `shelf` until `needed` bytes more fit, for those to be taken.

    No other process is given the same room in between. One that still reads what is removed goes
    on doing so: its memory map keeps the file.

    Raises:
        DataError: if they would not fit if nothing else was there.
    """
    limit = _limit()
    if limit is not None and needed > limit:
        raise DataError(
            f"{uri}: its decoded frames take {needed / _GB:.3g} GB and {LIMIT} is "
            f"{limit / _GB:.3g}; raise it, or choose fewer episodes"
        )
    with FileLock(shelf / ".room.lock"):
        remove_gone(shelf)
        kept = sorted(_folders(shelf), key=lambda folder: folder.stat().st_mtime)
        while _lacking(shelf, kept, needed, limit):
            if not kept:
                free = free_bytes(shelf)
                raise DataError(
                    f"{uri}: its decoded frames take {needed / _GB:.3g} GB, and {free / _GB:.3g} "
                    f"GB of disk are free in {shelf}, of which {SPARE / _GB:.3g} stay so; free "
                    "some, or set ZK0_CACHE to another disk"
                )
            remove_folder(kept.pop(0))
        yield


def mark_used(folder: Path) -> None:
    """Remember that the decoded frames in `folder` were asked for now."""
    now = time.time_ns()  # finer than the file system's own clock
    os.utime(folder, ns=(now, now))


def _limit() -> int | None:
    text = os.environ.get(LIMIT, "")
    if not text:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise DataError(f"{LIMIT} must be a number of GB above 0, got {text!r}")
    return int(limit * _GB)


def _folders(shelf: Path) -> list[Path]:
    return [path for path in shelf.iterdir() if path.is_dir() and path.name[0] != "."]


def _lacking(shelf: Path, kept: list[Path], needed: int, limit: int | None) -> bool:
    if limit is not None:
        used = sum(file.stat().st_size for folder in kept for file in folder.iterdir())
        if used + needed > limit:
            return True
    return free_bytes(shelf) < needed + SPARE
