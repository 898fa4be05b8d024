"""Runs as the dashboard finds them on disk: which there are, how far they are, what they say."""

import time
from pathlib import Path

import attrs

from zk0_core.errors import DataError, UsageError
from zk0_core.report.films import films_by_round
from zk0_core.report.reading import read_run

LOG_LINES = 40
"""Lines of the server's log that are shown."""
LOG_BYTES = 64_000
"""Bytes from the log's end in which they are looked for."""
SILENT_S = 120.0
"""Seconds without a word after which a run is said to be silent."""


@attrs.frozen
class State:
    """How a run stands now."""

    version: str
    """Changes when the page does."""
    text: str
    log: str
    """The last lines of the server's log."""


@attrs.frozen
class Entry:
    """A run in the list of all."""

    name: str
    state: str
    done: int | None
    rounds: int | None
    success_rate: float | None
    policy_loss: float | None


def runs_below(place: Path) -> dict[str, Path]:
    """Return the runs in folder `place`, by name, the one that was written last first.

    Args:
        place: The folder of a run, or one that has folders of runs.

    Raises:
        UsageError: if there is no run.
    """
    if (place / "plan.toml").is_file():
        return {place.absolute().name: place}
    found = sorted((path.parent for path in place.glob("*/plan.toml")), key=_last_word)
    if not found:
        raise UsageError(
            f"no run in {place}; name a run's folder, or one that has runs, such as outputs"
        )
    return {folder.name: folder for folder in reversed(found)}


def state_of(folder: Path, standing: str | None = None) -> State:
    """Return how the run in `folder` stands.

    Args:
        folder: The run's; it may not be there yet.
        standing: What somebody who knows says of it; None: what the folder looks like.
    """
    history = folder / "history.jsonl"
    written = history.stat() if history.is_file() else None
    films = sum(len(paths) for paths in films_by_round(folder).values())
    finished = (folder / "models" / "final" / "zk0.json").is_file()
    size = (written.st_mtime_ns, written.st_size) if written else (0, 0)
    text = _text(folder, finished) if standing is None else standing
    return State(f"{size}-{films}-{finished}-{standing}", text, _log(folder))


def entry_of(name: str, folder: Path, state: State) -> Entry:
    """Return the run in `folder` as a line of the list; one that cannot be read says so."""
    try:
        run = read_run(folder)
    except DataError as error:
        return Entry(name, str(error), None, None, None, None)
    except UsageError:
        # No round is over yet, which its page says.
        return Entry(name, state.text, None, None, None, None)
    rates = [r.success_rate for r in run.history.rounds if r.success_rate is not None]
    losses = run.history.server_losses()
    return Entry(
        name,
        state.text,
        run.done,
        run.rounds,
        rates[-1] if rates else None,
        losses[-1] if losses else None,
    )


def _text(folder: Path, finished: bool) -> str:
    if finished:
        return "finished"
    silent = time.time() - _last_word(folder)
    if silent < SILENT_S:
        return "going on"
    return f"silent for {silent / 60:.0f} min: in a long round, or stopped"


def _last_word(folder: Path) -> float:
    """Return when the run in `folder` last wrote a record or a line of a log."""
    files = [folder / "plan.toml", folder / "history.jsonl", *folder.glob("logs/*.log")]
    return max((path.stat().st_mtime for path in files if path.is_file()), default=time.time())


def _log(folder: Path) -> str:
    path = folder / "logs" / "server.log"
    if not path.is_file():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LOG_BYTES))
        lines = log.read().decode("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])
