"""Where commands write to."""

from pathlib import Path

from zk0_core.errors import UsageError


def check_unused(folder: Path) -> None:
    """Raise UsageError if `folder` is there and holds anything: nothing is written over."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"output folder {folder} is in use; choose another with --output")
