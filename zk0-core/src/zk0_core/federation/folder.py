"""Where a federation's keys, settings, state and logs lie: one folder each for server and node.

`ZK0_HOME` names another place for all of them.
"""

import os
from pathlib import Path

import attrs

from zk0_core.client_names import NAME
from zk0_core.engines._flower_pieces import FOLDER
from zk0_core.errors import UsageError

DEFAULT_NAME = "main"
"""The federation that is meant where none is named."""


def home() -> Path:
    """Return the folder of all federations; nothing is created."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(os.environ.get("ZK0_HOME") or Path(data) / "zk0").absolute() / "federations"


def federation_folder(name: str) -> Path:
    """Return the folder of the federation `name`.

    Raises:
        UsageError: if `name` cannot be a folder's.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"federation name '{name}' cannot be a folder's; use letters, digits, '-', '_' and '.'"
        )
    return home() / name


@attrs.frozen
class ServerFolder:
    """What the server of a federation keeps; below `federation_folder(name)`."""

    path: Path

    @classmethod
    def of(cls, name: str) -> "ServerFolder":
        """Return the server's folder of federation `name`."""
        return cls(federation_folder(name) / "server")

    @property
    def name(self) -> str:
        """The federation's name."""
        return self.path.parent.name

    @property
    def settings(self) -> Path:
        """What `zk0 server start` was asked for."""
        return self.path / "settings.json"

    @property
    def process(self) -> Path:
        """Who serves, and on which ports; there while it runs."""
        return self.path / "process.json"

    @property
    def lock(self) -> Path:
        """Held by whoever serves."""
        return self.path / ".lock"

    @property
    def certificates(self) -> Path:
        """The authority of this federation, and what it signed."""
        return self.path / "certificates"

    @property
    def ca(self) -> Path:
        """The certificate of the federation's own authority."""
        return self.certificates / "ca.crt"

    @property
    def secret(self) -> Path:
        """What the launcher shows to the SuperLink."""
        return self.path / "launcher.secret"

    @property
    def database(self) -> Path:
        """The SuperLink's state: nodes, runs, messages."""
        return self.path / "superlink.db"

    @property
    def pieces(self) -> Path:
        """Pieces of messages, as files that the SuperLink and a ServerApp share."""
        return self.database.with_name(FOLDER)

    @property
    def invitations(self) -> Path:
        """Invitations that nobody has used yet."""
        return self.path / "invitations.json"

    @property
    def about(self) -> Path:
        """What each node said of its dataset, one file a node."""
        return self.path / "about"

    @property
    def runs(self) -> Path:
        """One record per run, and its output folder beside it."""
        return self.path / "runs"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.path / "logs"


@attrs.frozen
class NodeFolder:
    """What a node of a federation keeps; below `federation_folder(name)`."""

    path: Path

    @classmethod
    def of(cls, name: str) -> "NodeFolder":
        """Return the node's folder of federation `name`."""
        return cls(federation_folder(name) / "client")

    @property
    def settings(self) -> Path:
        """The server's address and this node's name."""
        return self.path / "settings.json"

    @property
    def status(self) -> Path:
        """What the node is doing; there while it runs."""
        return self.path / "status.json"

    @property
    def lock(self) -> Path:
        """Held by the running node."""
        return self.path / ".lock"

    @property
    def paused(self) -> Path:
        """There while the node is to take no work."""
        return self.path / "paused"

    @property
    def ca(self) -> Path:
        """The certificate that the server's is checked against."""
        return self.path / "ca.crt"

    @property
    def key(self) -> Path:
        """The node's private key."""
        return self.path / "node.key"

    @property
    def secret(self) -> Path:
        """What this node's runner shows to its SuperNode."""
        return self.path / "runner.secret"

    @property
    def state(self) -> Path:
        """What the client remembers between rounds, one folder a run."""
        return self.path / "state"

    @property
    def pieces(self) -> Path:
        """Pieces of messages, as files that the SuperNode and the trainer share."""
        return self.path / FOLDER

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.path / "logs"
