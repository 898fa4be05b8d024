"""How the arms of a comparison did: what their runs recorded, put side by side."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from zk0_core.compare.arms import ALONE, ALONE_TOTAL, CENTRALIZED, FEDERATED, KINDS, Arm
from zk0_core.errors import DataError
from zk0_core.history import from_line
from zk0_core.intervals import Interval, crossed_bootstrap

START = "untrained"
"""What the federated arm's start is called."""

Tally = dict[str, dict[str, int]]
"""Region or dataset to its successes and rollouts."""


@attrs.frozen
class Outcome:
    """What one evaluation found."""

    successes: np.ndarray  # (starts,) of 0 and 1
    policy_loss: float | None
    regions: Tally
    datasets: Tally


@attrs.frozen
class Score:
    """One arm over all seeds."""

    name: str
    kind: str
    client: str
    steps: int
    seeds: tuple[int, ...]
    successes: np.ndarray  # (seeds, starts) of 0 and 1
    policy_loss: float | None
    """Mean over seeds."""
    regions: Tally
    """Over all seeds and datasets."""
    datasets: Tally
    """Over all seeds."""

    @property
    def rate(self) -> float:
        """Mean success over seeds and starts."""
        return float(self.successes.mean())

    def interval(self) -> Interval:
        """Return the 95 % interval of the rate over seeds and starts."""
        return crossed_bootstrap(self.successes)

    def minus(self, other: "Score") -> Interval:
        """Return the 95 % interval of this rate minus that of `other`, paired by seed and start."""
        return crossed_bootstrap(self.successes - other.successes)


@attrs.frozen
class Difference:
    """How far the federated arm is above another one, paired by seed and start."""

    against: str
    mean: float
    low: float
    high: float


def read_outcome(run: Path, round: int | None = None) -> Outcome:
    """Return what the last evaluation of the run in folder `run` found, or that of `round`.

    Raises:
        DataError: if no success of single starts is recorded there.
    """
    path = run / "history.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{run} is no run: {path.name} is not there; name a run's folder") from None
    record = from_line(lines[-1 if round is None else round])
    tried = [entry for entry in record.datasets if entry.get("outcomes")]
    starts = [start for entry in tried for start in entry["outcomes"]]
    if not starts:
        raise DataError(
            f"{run} has no closed-loop success to compare; evaluate it with sim-success"
        )
    regions: Tally = {}
    datasets: Tally = {}
    for entry in tried:
        _add(regions, entry.get("regions", {}))
        counts = {"successes": sum(entry["outcomes"]), "rollouts": len(entry["outcomes"])}
        _add(datasets, {entry["name"]: counts})
    return Outcome(np.array(starts, np.int8), record.policy_loss, regions, datasets)


def scores_of(arms: Sequence[Arm], folder: Path) -> list[Score]:
    """Return the score of every arm in `folder`, and of the untrained start, in order of kind."""
    by_name: dict[str, list[Arm]] = {}
    for arm in arms:
        by_name.setdefault(arm.name, []).append(arm)
    ordered = sorted(by_name.values(), key=lambda group: KINDS.index(group[0].kind))
    scores = [
        _score(group, [read_outcome(folder / arm.folder) for arm in group]) for group in ordered
    ]
    federated = by_name[FEDERATED]
    start = _score(federated, [read_outcome(folder / arm.folder, round=0) for arm in federated])
    return [attrs.evolve(start, name=START, kind=START, steps=0), *scores]


def best_alone(scores: Iterable[Score], kind: str) -> Score:
    """Return the client that did best alone, `kind` being ALONE or ALONE_TOTAL."""
    return max((score for score in scores if score.kind == kind), key=lambda score: score.rate)


def differences(scores: Sequence[Score]) -> list[Difference]:
    """Return how far the federated arm is above the others that matter."""
    federated = next(score for score in scores if score.kind == FEDERATED)
    others = [best_alone(scores, ALONE), best_alone(scores, ALONE_TOTAL)]
    others += [score for score in scores if score.kind == CENTRALIZED]
    return [
        Difference(other.name, federated.rate - other.rate, *attrs.astuple(federated.minus(other)))
        for other in others
    ]


def as_json(scores: Sequence[Score]) -> dict[str, Any]:
    """Return everything that a comparison found, JSON-able."""
    return {
        "arms": [
            {
                "name": score.name,
                "kind": score.kind,
                "client": score.client,
                "steps": score.steps,
                "seeds": list(score.seeds),
                "success_rate": score.rate,
                "success_interval": list(attrs.astuple(score.interval())),
                "success_by_seed": score.successes.mean(axis=1).tolist(),
                "regions": score.regions,
                "datasets": score.datasets,
                "policy_loss": score.policy_loss,
                "outcomes": score.successes.tolist(),
            }
            for score in scores
        ],
        "federated_minus": [attrs.asdict(entry) for entry in differences(scores)],
    }


def _score(arms: Sequence[Arm], outcomes: Sequence[Outcome]) -> Score:
    regions: Tally = {}
    datasets: Tally = {}
    for outcome in outcomes:
        _add(regions, outcome.regions)
        _add(datasets, outcome.datasets)
    losses = [outcome.policy_loss for outcome in outcomes if outcome.policy_loss is not None]
    return Score(
        name=arms[0].name,
        kind=arms[0].kind,
        client=arms[0].client,
        steps=arms[0].steps,
        seeds=tuple(arm.seed for arm in arms),
        successes=np.stack([outcome.successes for outcome in outcomes]),
        policy_loss=sum(losses) / len(losses) if losses else None,
        regions=regions,
        datasets=datasets,
    )


def _add(tally: Tally, more: Tally) -> None:
    for name, counts in more.items():
        entry = tally.setdefault(name, {"successes": 0, "rollouts": 0})
        for key in entry:
            entry[key] += counts[key]
