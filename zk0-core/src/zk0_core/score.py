"""A saved model, scored by an evaluator."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zk0_core.errors import UsageError
from zk0_core.plan import EvaluationPlan, PluginChoice, RunPlan

if TYPE_CHECKING:
    from zk0_core.wire.orders import Recipe


def score(
    model: Path, evaluator: PluginChoice, dataset: str, folder: Path | None = None
) -> dict[str, Any]:
    """Return the figures of `evaluator` for the model in folder `model` on `dataset`.

    Args:
        model: A folder that a run wrote, such as models/final.
        evaluator: How to score.
        dataset: What on.
        folder: Where videos go; they are dropped when None.

    Raises:
        UsageError: if the folder was not written by a run.
    """
    import attrs

    from zk0_core.engines.devices import AUTO, chosen_device, usable
    from zk0_core.engines.workers import Workers, default_count
    from zk0_core.server.evaluation import score_model
    from zk0_core.server.model import read_facts
    from zk0_core.server.output import FACTS

    if not (model / FACTS).is_file():
        raise UsageError(
            f"model {model} has no {FACTS}; name a folder that `zk0 run` wrote, "
            "such as outputs/demo/models/final"
        )
    ref = read_facts(model)
    options = {
        "path": str(model.absolute()),
        "cameras": "",
        # How the run's policy acted is not in LeRobot's format.
        "noise_scale": ref.recipe.policy.options.get("noise_scale", 1.0),
    }
    choice = PluginChoice("policy", "lerobot", options)
    # As in training, or the best that this machine has instead.
    device = ref.recipe.device if usable(ref.recipe.device) else chosen_device(AUTO)
    ref = attrs.evolve(ref, recipe=attrs.evolve(ref.recipe, policy=choice, device=device))
    plan = _plan_of(ref.recipe, EvaluationPlan(dataset, evaluator))
    with TemporaryDirectory() as temporary:
        place = Path(temporary)
        # What workers log is kept off the console.
        workers = Workers(
            default_count(device), ref.recipe.threads, logs=place / "logs", device=device
        )
        try:
            scores = score_model(plan, ref, plan.rounds, folder or place / "videos", workers)
        finally:
            workers.close()
    return dict(scores.datasets[0])


def _plan_of(recipe: "Recipe", evaluation: EvaluationPlan) -> RunPlan:
    """Return a plan of no rounds, since evaluators are shown the plan that they score."""
    return RunPlan(
        rounds=0,
        local_steps=0,
        batch_size=recipe.batch_size,
        lr=0.0,
        seed=recipe.seed,
        policy=recipe.policy,
        strategy=recipe.strategy,
        schedulers=(),
        mu_schedulers=(),
        clients=(),
        evaluations=(evaluation,),
        reporters=(),
        codec=recipe.codec,
    )
