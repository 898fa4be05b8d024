"""What the videos and rollouts of a run say, round by round: `evaluate/video_analysis.json`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zk0_core.report.films import facts_of, films_by_round

NAME = "video_analysis.json"
FIGURES = {
    "success_rate": "success",
    "seconds": "seconds",
    "smoothness": "smoothness",
    "mean_absolute_error": "mean_absolute_error",
}
"""Figure of a round to the fact of a rollout or replay that it is the mean of."""


def video_analysis(run: Path, last: int) -> list[dict[str, Any]]:
    """Return an entry for each round, up to `last`, that left videos or rollouts in folder `run`.

    Means are over all rollouts, filmed or not; over the videos where there are no rollouts. A
    figure that no evaluator gave is None.
    """
    found = sorted(films_by_round(run).items())
    entries = (_of_round(run, round, films) for round, films in found if round <= last)
    return [entry for entry in entries if entry["rollouts"] or entry["videos"]]


def _of_round(run: Path, round: int, films: Sequence[Path]) -> dict[str, Any]:
    rollouts = [
        start
        for path in sorted(run.glob(f"evaluate/round_{round}/**/rollouts.json"))
        for start in json.loads(path.read_text(encoding="utf-8"))["starts"]
    ]
    shown = [{"video": path.relative_to(run).as_posix(), **facts_of(path)} for path in films]
    means = {name: _mean(rollouts or shown, fact) for name, fact in FIGURES.items()}
    return {"round": round, "rollouts": len(rollouts), **means, "videos": shown}


def _mean(entries: Sequence[dict[str, Any]], fact: str) -> float | None:
    values = [float(entry[fact]) for entry in entries if entry.get(fact) is not None]
    return sum(values) / len(values) if values else None
