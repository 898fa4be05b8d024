"""Where the dashboard's runs come from: a folder, or a federation that is served here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import attrs

from zk0_core.dashboard.runs import runs_below
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import RunEntry
from zk0_core.federation.runs import Runs
from zk0_core.federation.server import known_nodes, process_of, settings_of


@attrs.frozen
class NodeLine:
    """A node in the list of all."""

    name: str
    online: bool
    since: str
    """When it was let in, to the minute."""
    seen: str
    """When it came or left last; empty for never."""


class Source(Protocol):
    """Some runs, looked up anew at every question."""

    @property
    def title(self) -> str:
        """The heading of the list."""

    @property
    def alone(self) -> bool:
        """Whether there is one run and never another, so that there is no list."""

    def runs(self) -> dict[str, Path]:
        """Return the folder of each run, by name, the last one first.

        Raises:
            UsageError: if there is none where there has to be one.
        """

    def standing(self, name: str) -> str | None:
        """Return how a run stands; None where its folder says that."""

    def nodes(self) -> Sequence[NodeLine] | None:
        """Return the nodes of a federation; None where there is no such thing.

        Raises:
            Zk0Error: if they cannot be asked for now.
        """


@attrs.frozen
class FolderOfRuns:
    """The folder of a run, or one that has folders of runs."""

    place: Path

    title = "Runs"

    @property
    def alone(self) -> bool:
        """Whether it is the folder of a run."""
        return (self.place / "plan.toml").is_file()

    def runs(self) -> dict[str, Path]:
        """Return what `runs_below` finds."""
        return runs_below(self.place)

    def standing(self, name: str) -> None:
        """Leave it to the run's folder."""

    def nodes(self) -> None:
        """Return None: a folder has no nodes."""


@attrs.frozen
class ServedFederation:
    """The runs and nodes of a federation whose server is, or was, on this machine.

    Raises:
        UsageError: if there never was one.
    """

    folder: ServerFolder = attrs.field()
    alone = False

    @folder.validator
    def _was_served(self, attribute: object, folder: ServerFolder) -> None:
        settings_of(folder)

    @property
    def title(self) -> str:
        """Its name."""
        return f"Federation {self.folder.name}"

    def runs(self) -> dict[str, Path]:
        """Return the folder of every submitted run; that of a queued one may not be there yet."""
        entries = list(Runs(self.folder).all())
        return {entry.name: Path(entry.folder) for entry in reversed(entries)}

    def standing(self, name: str) -> str | None:
        """Return what the server says of a run that does not go on."""
        try:
            entry = Runs(self.folder).find(name)
        except UsageError:
            return None
        return None if entry.state == "running" and not entry.reason else _words(entry)

    def nodes(self) -> list[NodeLine]:
        """Return all approved nodes, by name."""
        if process_of(self.folder) is None:
            raise Zk0Error(
                f"the server does not run, so that nobody knows; zk0 server start --name "
                f"{self.folder.name} starts it"
            )
        known = sorted(known_nodes(self.folder), key=lambda node: node.name)
        return [
            NodeLine(node.name, node.online, _minute(node.since), _minute(node.seen))
            for node in known
        ]


def _words(entry: RunEntry) -> str:
    return f"{entry.state}: {entry.reason}" if entry.reason else entry.state


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ")
