"""The global model, scored on every evaluation dataset."""

from pathlib import Path
from typing import Any

import attrs

from zk0_core.data import Progress, Statistics, training_episodes
from zk0_core.parts import build_evaluator, open_dataset, reads_episodes
from zk0_core.plan import EvaluationPlan, RunPlan
from zk0_core.protocols import EvaluationRequest, TaskPool
from zk0_core.server.model import ModelRef


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
    """Return the figures of `model`, one entry a dataset, whichever evaluators gave them."""
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
        by_dataset.setdefault(evaluation.dataset, {"name": evaluation.dataset}).update(figures)
    datasets = tuple(by_dataset.values())
    return Scores(datasets, _mean(datasets, "policy_loss"), _mean(datasets, "success_rate"))


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
