"""What a node says of itself: one file, and its log."""

from typing import Any

import attrs
from loguru import logger

from zk0_core.errors import UsageError
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.records import NodeSettings, NodeStatus, read, write
from zk0_core.federation.signals import is_held


class StatusFile:
    """The status of a node, written down whenever it changes."""

    def __init__(self, folder: NodeFolder, status: NodeStatus) -> None:
        self._path = folder.status
        self._behind = False
        """Whether the file could not be written, and tells of an earlier status."""
        self.now = status

    def say(self, **changes: Any) -> None:
        """Change fields of the status; that a full disk does not take them ends no node."""
        changed = attrs.evolve(self.now, **changes)
        if changed == self.now and not self._behind and self._path.exists():
            return
        self.now = changed
        try:
            write(self._path, changed)
        except OSError as problem:
            if not self._behind:
                logger.warning("{} cannot be written ({}); the node goes on", self._path, problem)
            self._behind = True
        else:
            self._behind = False

    def note(self, problem: str) -> None:
        """Count a problem, and log it."""
        logger.warning("{}", problem)
        self.say(errors=self.now.errors + 1, last_error=problem)

    def remove(self) -> None:
        """Say nothing more: the node has ended."""
        self._path.unlink(missing_ok=True)


def settings_of(folder: NodeFolder) -> NodeSettings:
    """Return where the node belongs.

    Raises:
        UsageError: if it was never enrolled.
    """
    settings = read(folder.settings, NodeSettings)
    if settings is None:
        raise UsageError(
            f"this machine has no node of federation '{folder.path.parent.name}'; enroll it first: "
            "zk0 client enroll --server HOST:PORT --authority FINGERPRINT --node NAME"
        )
    return settings


def status_of(folder: NodeFolder) -> NodeStatus | None:
    """Return what the node does; None if it does not run."""
    from zk0_core.federation.processes import is_running

    status = read(folder.status, NodeStatus)
    return status if status and is_running(status.pid) and is_held(folder.lock) else None
