"""The global model, scored on every evaluation dataset."""

import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from zk0_core.data import Progress, Statistics, training_episodes
from zk0_core.errors import Zk0Error
from zk0_core.history import RoundRecord
from zk0_core.parts import build_evaluator, open_dataset, reads_episodes
from zk0_core.plan import EvaluationPlan, RunPlan
from zk0_core.protocols import EvaluationRequest, TaskPool
from zk0_core.server.model import ModelRef
from zk0_core.server.result import returned


class Diverged(Zk0Error):
    """A model scores what is no number: some of its weights are out of range, or all."""


@attrs.frozen
class Scores:
    """What the evaluators found, together."""

    datasets: tuple[dict[str, Any], ...]
    policy_loss: float | None
    success_rate: float | None


def score_model(
    plan: RunPlan,
    model: ModelRef,
    round: int,
    folder: Path,
    pool: TaskPool,
    progress: Progress | None = None,
) -> Scores:
    """Return the figures of `model`, one entry a dataset, whichever evaluators gave them.

    Raises:
        Diverged: if one of them is a NaN or an infinity.
    """
    by_dataset: dict[str, dict[str, Any]] = {}
    for evaluation in plan.evaluations:
        request = EvaluationRequest(
            plan=plan,
            round=round,
            dataset=evaluation.dataset,
            model=_normalised_for(evaluation, plan, model, pool),
            folder=folder,
            pool=pool,
            final=round == plan.rounds,
            progress=progress,
            rename=evaluation.rename,
        )
        figures = build_evaluator(evaluation.evaluator).evaluate(request)
        if not isinstance(figures, Mapping):
            what = f"{type(figures).__name__}, no figures by name"
            raise returned(evaluation.evaluator, what)
        if problem := not_finite(figures):
            raise Diverged(f"on {evaluation.dataset}, {problem}: the model has diverged")
        by_dataset.setdefault(evaluation.dataset, {"name": evaluation.dataset}).update(figures)
    datasets = tuple(by_dataset.values())
    return Scores(datasets, _mean(datasets, "policy_loss"), _mean(datasets, "success_rate"))


def not_finite(figures: Mapping[str, Any]) -> str | None:
    """Return which of `figures`, or of the tables in them, is a NaN or an infinity, if any."""
    for name, value in figures.items():
        if isinstance(value, Mapping) and (problem := not_finite(value)):
            return f"{name} {problem}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{name} is {value}"
    return None


def after_divergence(problem: Diverged, record: RoundRecord) -> str:
    """Return what to say and do when the model after the round of `record` has diverged."""
    text = f"after round {record.round}, {problem}"
    if record.clients:
        longest = max(record.clients, key=lambda entry: entry.update_norm)
        median = statistics.median(entry.update_norm for entry in record.clients)
        text += (
            f"; the longest update was {longest.client}'s, of norm {longest.update_norm:.3g}, the "
            f"median norm is {median:.3g}"
        )
    return text + "; start afresh with a lower lr, strategy.norm_clip or a robust strategy"


def _normalised_for(
    evaluation: EvaluationPlan, plan: RunPlan, model: ModelRef, pool: TaskPool
) -> ModelRef:
    """Return `model` with the statistics that it is scored with on one dataset."""
    if plan.normalization == "pooled" or not reads_episodes(evaluation.evaluator):
        return model
    (own,) = pool.map(training_statistics, [evaluation])
    return model if own is None else attrs.evolve(model, statistics=own)


def training_statistics(evaluation: EvaluationPlan) -> Statistics | None:
    """Return the sums over what an evaluation dataset does not hold out; None if it is nothing."""
    from zk0_core.lerobot.stats import episode_sums

    dataset = open_dataset(evaluation.dataset, evaluation.rename)
    episodes = training_episodes(dataset)
    return episode_sums(dataset, episodes) if episodes else None


def _mean(datasets: tuple[dict[str, Any], ...], figure: str) -> float | None:
    values = [entry[figure] for entry in datasets if entry.get(figure) is not None]
    return sum(values) / len(values) if values else None
