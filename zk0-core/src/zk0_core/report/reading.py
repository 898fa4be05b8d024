"""A run as its report sees it: the plan and what happened, from memory or from the folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.errors import DataError, UsageError
from zk0_core.history import History, RoundRecord, from_line

if TYPE_CHECKING:
    from zk0_core.plan import RunPlan


@attrs.frozen
class Run:
    """A run, finished or not."""

    folder: Path
    plan: Mapping[str, Any]
    """As `plan.toml` has it."""
    history: History
    damage: tuple[str, ...] = ()
    """What in the folder could not be read, a sentence each."""

    @property
    def rounds(self) -> int:
        """Rounds that were planned."""
        return int(self.plan["rounds"])

    @property
    def done(self) -> int:
        """Rounds that are over."""
        return self.history.rounds[-1].round if self.history.rounds else 0


def run_of(plan: "RunPlan", history: History, folder: Path) -> Run:
    """Return the run that happened in this process."""
    import tomli

    from zk0_core.runfile import plan_to_toml

    return Run(folder, tomli.loads(plan_to_toml(plan)), history)


def read_run(folder: Path) -> Run:
    """Return the run that wrote `folder`; it may still be going on.

    Raises:
        UsageError: if the folder is not a run's; the text says what is missing.
        DataError: if the plan or a round cannot be read.
    """
    _check_folder(folder)
    plan = _read_plan(folder / "plan.toml")
    try:
        text = (folder / "history.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"run {folder} has no history.jsonl: no round is over yet, not even the evaluation of "
            "the start; wait for the first line on the console, or look into logs/server.log"
        ) from None
    lines = text.split("\n")
    # A round's line ends with a newline: what stands behind the last one was cut off.
    records = [_record(line, number, folder) for number, line in enumerate(lines[:-1], 1) if line]
    damage = (
        ("The last line of history.jsonl is cut off; it is left out here.",) if lines[-1] else ()
    )
    return Run(folder, plan, History(tuple(records)), damage)


def _check_folder(folder: Path) -> None:
    if (folder / "plan.toml").is_file():
        return
    inside = sorted(folder.glob("*/plan.toml"), key=lambda path: path.stat().st_mtime)
    fix = f"did you mean {inside[-1].parent}?" if inside else "name one such as outputs/demo"
    found = "it has no plan.toml" if folder.is_dir() else "there is no such folder"
    raise UsageError(f"{folder} is not the folder of a run: {found}; {fix}")


def _read_plan(path: Path) -> dict[str, Any]:
    import tomli

    try:
        plan = tomli.loads(path.read_text(encoding="utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}; restore it from a copy") from None
    if not isinstance(plan.get("rounds"), int):
        raise DataError(f"{path} is not the plan of a run: it has no number of rounds")
    return plan


def _record(line: str, number: int, folder: Path) -> RoundRecord:
    try:
        return from_line(line)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"line {number} of {folder / 'history.jsonl'} is not a round of this version of zk0 "
            f"({type(error).__name__}: {error}); read the run with the version that its plan.toml "
            "names"
        ) from None
