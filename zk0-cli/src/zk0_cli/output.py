"""Where commands write to, and where not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from zk0_core.errors import UsageError


def check_unused(folder: Path) -> None:
    """Raise UsageError if `folder` is there and holds anything: nothing is written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"output folder {folder} is in use; choose another with --output")


@contextlib.contextmanager
def nothing_logged() -> Iterator[None]:
    """Keep zk0's log quiet for a while."""
    from loguru import logger

    logger.disable("zk0_core")
    try:
        yield
    finally:
        logger.enable("zk0_core")
