"""Room on disk: looked at before it is needed, and said in one line when it has run out."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.errors import Zk0Error

if TYPE_CHECKING:
    from zk0_core.tensors import Tensors

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a write fails with when a disk is full, or a user's share of it."""


_CANNOT_RESERVE = (errno.EOPNOTSUPP, errno.EINVAL)
_FULL_TEXT = re.compile(rf"(os error|code:) ({FULL[0]}|{FULL[1]})\b")

SPARE = 32 * 2**20
"""Bytes of a round beside tensors and model: figures, logs, charts, some videos."""


class DiskFull(Zk0Error):
    """There is no room to go on; everything so far is intact."""


def existing(path: Path) -> Path:
    """Return `path`, or what exists of it, absolute."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return place


def free_bytes(path: Path) -> int:
    """Return the bytes that are free where `path` is, or will be."""
    return shutil.disk_usage(existing(path)).free


def round_bytes(params: "Tensors", clients: int, model: Path | None) -> int:
    """Return about how many bytes a round writes.

    Of the size of the parameters that is: for the server a checkpoint, with a strategy's state of
    twice as much, and a copy that is evaluated; for each client an update that waits, two moments
    of its optimizer, and what its codec left over. A model is as large as the last one.

    Args:
        params: The parameters that are exchanged.
        clients: How many clients are asked.
        model: Folder of the last model that was saved; None where there is none.
    """
    size = sum(array.nbytes for array in params.values())
    files = [path for path in model.rglob("*") if path.is_file()] if model else []
    saved = sum(path.stat().st_size for path in files)
    return size * (4 + 4 * clients) + saved + SPARE


def require_room(run: Path, needed: int, what: str) -> None:
    """Raise DiskFull unless `needed` bytes are free for `what` in the folder of a run."""
    if (free := free_bytes(run)) < needed:
        raise DiskFull(
            f"too little disk for {what}: {free / 1e6:.1f} MB free, {needed / 1e6:.1f} MB needed "
            f"in {run}; free some, then zk0 resume {run}"
        )


def reserve(file: Path, what: str) -> None:
    """Take the room on disk that `file` says it has; what is in it stays.

    A memory map makes a file with holes. If the disk is full when one is to be filled, the process
    is killed by SIGBUS.

    Args:
        file: One that is there.
        what: What it is for, in errors.

    Raises:
        OSError: if there is no room, with a number out of FULL.
    """
    size = file.stat().st_size
    try:
        if not hasattr(os, "posix_fallocate"):  # macOS
            raise OSError(errno.EOPNOTSUPP, "no posix_fallocate")
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, size)
    except OSError as problem:
        if problem.errno in FULL:
            raise OSError(
                problem.errno,
                f"{problem.strerror}: {what} take {size / 1e9:.3g} GB; free some, or set "
                "ZK0_CACHE to another disk",
                str(file),
            ) from None
        if problem.errno not in _CANNOT_RESERVE:
            raise
        from loguru import logger

        logger.warning(
            "room for {} cannot be reserved at {}; keep {:.3g} GB free there, or this process is "
            "killed when the disk is full",
            what,
            file.parent,
            size / 1e9,
        )


def is_full(problem: BaseException | None) -> bool:
    """Return whether `problem`, or what caused it, is a full disk."""
    while problem is not None:
        if isinstance(problem, DiskFull) or getattr(problem, "errno", None) in FULL:
            return True
        # safetensors has an error of its own, and the number in its text only.
        if type(problem).__name__ == "SafetensorError" and _FULL_TEXT.search(str(problem)):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


@contextmanager
def stopping_when_full(run: Path) -> Iterator[None]:
    """Turn the failure of a write to a full disk into DiskFull, which names the run."""
    try:
        yield
    except DiskFull:
        raise
    except Exception as problem:
        if not is_full(problem):
            raise
        raise DiskFull(
            f"the disk is full: {free_bytes(run) / 1e6:.1f} MB free in {run}; all rounds up to the "
            f"last checkpoint are intact; free some, then zk0 resume {run}"
        ) from problem
