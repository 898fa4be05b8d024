"""A whole comparison: train what is missing, score, and write what was found."""

from collections.abc import Sequence
from pathlib import Path

import attrs
import numpy as np

from zk0_core.compare.arms import Arm
from zk0_core.compare.picture import draw_scores
from zk0_core.compare.runs import Finished, train_arms
from zk0_core.compare.scores import Difference, Score, as_json, read_outcome, scores_of
from zk0_core.data import Progress
from zk0_core.errors import UsageError
from zk0_core.files import write_json
from zk0_core.intervals import crossed_bootstrap, wilson
from zk0_core.run import check_disk, prepare_datasets


def compare_arms(
    arms: Sequence[Arm],
    folder: Path,
    jobs: int,
    finished: Finished | None = None,
    progress: Progress | None = None,
) -> list[Score]:
    """Train the `arms` that `folder` lacks; write `compare.json` and `compare.png` there.

    Raises:
        Zk0Error: if an arm cannot be trained, or nothing scores closed-loop success.
    """
    if not any(e.evaluator.name == "sim-success" for e in arms[0].plan.evaluations):
        raise UsageError(
            "a comparison scores closed-loop success, but no evaluation uses sim-success; "
            "add --evaluator sim-success"
        )
    check_disk(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Once for all, so that arms that start together don't record the same.
    prepare_datasets(arms[0].plan, jobs, progress)
    train_arms(arms, folder, jobs, finished)
    scores = scores_of(arms, folder)
    write_json(folder / "compare.json", as_json(scores))
    draw_scores(scores, folder / "compare.png")
    return scores


@attrs.frozen
class RunScore:
    """The final closed-loop success of one run."""

    run: str
    rate: float
    low: float
    high: float
    """95 % Wilson interval."""
    starts: int


def compare_runs(one: Path, other: Path) -> tuple[RunScore, RunScore, Difference]:
    """Return the final success of two finished runs, and the first minus the second.

    Raises:
        DataError: if one has no closed-loop success.
        UsageError: if the two were tried from different starts.
    """
    found = [read_outcome(run).successes for run in (one, other)]
    if len(found[0]) != len(found[1]):
        raise UsageError(
            f"{one} was tried from {len(found[0])} starts and {other} from {len(found[1])}; "
            "compare runs that end with the same --evaluator.final-rollouts"
        )
    scores = [
        RunScore(str(run), float(s.mean()), *wilson(int(s.sum()), len(s)), len(s))
        for run, s in zip((one, other), found, strict=True)
    ]
    paired = found[0].astype(np.int8) - found[1]
    interval = crossed_bootstrap(paired[None])
    return (
        scores[0],
        scores[1],
        Difference(str(other), float(paired.mean()), interval.low, interval.high),
    )
