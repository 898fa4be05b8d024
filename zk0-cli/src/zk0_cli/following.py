"""A run of a federation, told from its own records: as it goes on, or as far as it is."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.errors import Zk0Error

if TYPE_CHECKING:
    from zk0_core.federation.folder import ServerFolder
    from zk0_core.federation.records import RunEntry
    from zk0_core.plan import RunPlan

Say = Callable[[str], None]
"""Prints a line."""


def follow(
    folder: "ServerFolder", entry: "RunEntry", plan: "RunPlan", say: Say, give_up: bool = False
) -> "RunEntry":
    """Tell how a run goes on; return its entry when it has ended.

    Args:
        folder: The federation's, whose server may end and be started again meanwhile.
        entry: The run.
        plan: What it carries out.
        say: Prints a line.
        give_up: Whether to take a run back that no server starts: it waits for its nodes no
            longer than was asked for.

    Raises:
        Zk0Error: if it was taken back.
    """
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import process_of

    runs = Runs(folder)
    teller = Teller(plan, say)
    gone_since: float | None = None
    for now in runs.await_end(entry.name):
        entry = now
        teller.tell(entry)
        if entry.over or process_of(folder) is not None:
            gone_since = None
            continue
        if gone_since is None:
            gone_since = time.monotonic()
            say(
                f"the server of federation '{folder.name}' does not run; the run goes on after "
                f"zk0 server start --name {folder.name}"
            )
        if give_up and entry.state == "queued" and time.monotonic() - gone_since >= entry.wait:
            runs.ask_to_stop(entry.name)
            raise Zk0Error(
                f"run {entry.name} is taken back: the server of federation '{folder.name}' did not "
                f"run for {entry.wait:.0f} s; zk0 server start --name {folder.name}, and submit it "
                "again"
            )
    teller.finish()
    return entry


def tell(entry: "RunEntry", plan: "RunPlan", say: Say) -> None:
    """Tell how far a run is."""
    teller = Teller(plan, say)
    teller.tell(entry)
    if entry.over:
        teller.finish()


class Teller:
    """Tells of a run, each thing once: its states, whom it waits for, its rounds."""

    def __init__(self, plan: "RunPlan", say: Say) -> None:
        from zk0_core.builtin.reporter_console import ConsoleReporter
        from zk0_core.history import History

        self._say = say
        self._reporter = ConsoleReporter(say)
        self._reporter.begin(plan.rounds)
        self._history = History()
        self._text = ""
        """Of the records that were told."""
        self._state = self._reason = ""

    def tell(self, entry: "RunEntry") -> None:
        """Tell what is new; how it ended is left to the caller."""
        if entry.state != self._state and not entry.over:
            self._say(f"run {entry.name} is {entry.state}")
        if entry.reason and entry.reason != self._reason and not entry.over:
            self._say(f"waiting: {entry.reason}")
        self._state, self._reason = entry.state, entry.reason
        self._tell_rounds(Path(entry.folder) / "history.jsonl")

    def _tell_rounds(self, records: Path) -> None:
        from zk0_core.history import History, from_line

        text = records.read_text(encoding="utf-8") if records.is_file() else ""
        # What follows the last newline is still being written.
        text = text[: text.rfind("\n") + 1]
        if text == self._text:
            return
        rounds = tuple(map(from_line, text.splitlines()))
        # A run that was taken up again is back at its last checkpoint.
        told = min(len(self._history.rounds), len(rounds))
        for number in range(told, len(rounds)):
            self._reporter.round(rounds[number], History(rounds[: number + 1]))
        self._text, self._history = text, History(rounds)

    def finish(self) -> None:
        """Count what went wrong on the way."""
        self._reporter.finish(self._history)
