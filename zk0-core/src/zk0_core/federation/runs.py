"""The runs of a federation: submitted by a command, carried out one after the other."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from zk0_core.errors import UsageError
from zk0_core.federation.folder import ServerFolder, home
from zk0_core.federation.records import RunEntry, read, write
from zk0_core.files import write_json, write_text
from zk0_core.plan import RunPlan
from zk0_core.run_names import run_names
from zk0_core.runfile import plan_from_json, plan_to_json

ENTRY, PLAN, STOP, OUTCOME = "run.json", "plan.json", "stop", "outcome.json"


def now() -> str:
    """Return the time as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_that_writes(output: Path) -> tuple[ServerFolder, RunEntry] | None:
    """Return which run of a federation served here has its output in `output`; None for none."""
    for path in home().glob("*/server"):
        folder = ServerFolder(path)
        for entry in Runs(folder).all():
            if Path(entry.folder) == output.absolute():
                return folder, entry
    return None


class Runs:
    """The runs of one server, each in a folder of its name."""

    def __init__(self, folder: ServerFolder) -> None:
        self._folder = folder.runs

    def submit(self, plan: RunPlan, output: Path | None = None, **asked: Any) -> RunEntry:
        """Queue `plan`; its output goes to `output`, by default to the run's own folder.

        Args:
            plan: What is to run; its clients are those that are there when it starts.
            output: Where it goes.
            asked: Fields of `RunEntry`, such as `min_clients`.
        """
        for name in run_names(plan):
            with contextlib.suppress(FileExistsError):
                (self._folder / name).mkdir(parents=True)
                break
        entry = RunEntry(
            name=name,
            submitted=_submitted(),
            folder=str((output or self._folder / name / "output").absolute()),
            **asked,
        )
        try:
            write_text(self._folder / name / PLAN, plan_to_json(plan))
            write(self._folder / name / ENTRY, entry)
        except OSError:
            # A full disk: what is tried again leaves no folder each time.
            shutil.rmtree(self._folder / name, ignore_errors=True)
            raise
        return entry

    def queue_again(self, entry: RunEntry) -> RunEntry:
        """Queue a run that ended before its time, last of all; it goes on from its last checkpoint.

        Raises:
            UsageError: if it is done, or has not ended.
        """
        if not entry.over:
            raise UsageError(f"run '{entry.name}' goes on; zk0 logs -f {entry.name} follows it")
        if entry.state == "done":
            raise UsageError(f"run '{entry.name}' is done; zk0 run --federation starts another")
        for name in (OUTCOME, STOP):
            (self._folder / entry.name / name).unlink(missing_ok=True)
        return self.change(
            entry,
            state="queued",
            submitted=_submitted(),
            reason="",
            flower_run=0,
            attempts=0,
            ended="",
        )

    def all(self) -> Iterator[RunEntry]:
        """Yield all runs, in the order in which they were submitted."""
        entries = [read(path, RunEntry) for path in self._folder.glob(f"*/{ENTRY}")]
        yield from sorted(
            (entry for entry in entries if entry), key=lambda run: (run.submitted, run.name)
        )

    def going(self) -> list[RunEntry]:
        """Return those that have not ended: the one that runs, then those that wait, in turn."""
        going = [entry for entry in self.all() if not entry.over]
        # Not by the times alone: the clock may have been set back since.
        return sorted(going, key=lambda entry: entry.state != "running")

    def find(self, name: str) -> RunEntry:
        """Return the run `name`.

        Raises:
            UsageError: if there is none.
        """
        entry = read(self._folder / name / ENTRY, RunEntry) if name.strip(".") else None
        if entry is None:
            known = [run.name for run in self.all()][-5:]
            raise UsageError(
                f"there is no run '{name}'; the last ones are: {', '.join(known) or 'none'}"
            )
        return entry

    def last(self) -> RunEntry | None:
        """Return the run that goes on, or that was submitted last."""
        entries = self.going() or list(self.all())[-1:]
        return next(iter(entries), None)

    def plan(self, name: str) -> RunPlan:
        """Return the plan of run `name`, as it was submitted."""
        return plan_from_json((self._folder / name / PLAN).read_text(encoding="utf-8"))

    def change(self, entry: RunEntry, **changes: Any) -> RunEntry:
        """Write `entry` with `changes` down, and return it; the server alone does that."""
        changed = attrs.evolve(entry, **changes)
        if changed.over and not changed.ended:
            changed = attrs.evolve(changed, ended=now())
        write(self._folder / entry.name / ENTRY, changed)
        return changed

    def ask_to_stop(self, name: str) -> None:
        """Ask the server to stop run `name`."""
        write_text(self._folder / name / STOP, now() + "\n")

    def to_be_stopped(self, name: str) -> bool:
        """Whether somebody asked for that."""
        return (self._folder / name / STOP).exists()

    def tell_outcome(self, name: str, reason: str) -> None:
        """Write down how the ServerApp of run `name` ended: an empty `reason` if well."""
        write_json(self._folder / name / OUTCOME, {"reason": reason})

    def outcome(self, name: str) -> str | None:
        """Return what `tell_outcome` wrote; None if the ServerApp ended without a word."""
        import json

        path = self._folder / name / OUTCOME
        if not path.is_file():
            return None
        return str(json.loads(path.read_text(encoding="utf-8"))["reason"])

    def await_end(self, name: str, poll: float = 0.5) -> Iterator[RunEntry]:
        """Yield the run's entry again and again until it has ended, the last one included."""
        while True:
            entry = self.find(name)
            yield entry
            if entry.over:
                return
            time.sleep(poll)


def _submitted() -> str:
    """Return the time, finely enough that no two submissions have the same."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
