"""`zk0 eval`: score a saved model."""

from pathlib import Path
from typing import Any

import click

from zk0_cli.output import check_unused
from zk0_cli.plugin_flags import PluginFlagsCommand, with_plugin_flags
from zk0_cli.table import echo_figures, echo_json
from zk0_core.choosing import choose
from zk0_core.errors import UsageError
from zk0_core.records import EvaluatorPlugin
from zk0_core.registry import Registry
from zk0_core.settings import Choice, EvaluationSetting, Settings

STARTS = "sim:lift?region=all&episodes=60"
"""What is scored on without --dataset, in the simulator."""
EPISODES = "sim:lift?region=all&split=eval&episodes=8"
"""The same for evaluators that read recorded episodes, of which all here are held out."""


@click.command(
    "eval",
    cls=PluginFlagsCommand,
    short_help="Score a saved model.",
    epilog="Example: zk0 eval outputs/demo/models/final --evaluator.final-rollouts 20",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--evaluator", metavar="NAME", default="sim-success", show_default=True, help="How to score."
)
@click.option(
    "--dataset",
    metavar="URI",
    help=f"What to score on.  [default: {STARTS}, or {EPISODES} where the evaluator reads recorded "
    "episodes]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where videos go; must be empty or missing. Without it, none are kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    model: Path,
    evaluator: str,
    dataset: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Score a saved model: MODEL is a folder in LeRobot's format, such as a run's models/final.

    It is scored as at the end of a run. Options of the evaluator are flags too:
    --evaluator.final-rollouts 20.
    """
    if not model.is_dir():
        raise UsageError(f"model {model} is no folder; name one such as outputs/demo/models/final")
    if output is not None:
        check_unused(output)
    registry = Registry.discover()
    dataset = dataset or default_dataset(registry, evaluator)
    setting = EvaluationSetting(dataset, Choice(evaluator, origin="--evaluator"))
    settings = Settings(origin="flags", evaluations=(setting,))
    settings = with_plugin_flags(settings, ctx.obj, registry)
    assert settings.evaluations
    choice = choose(registry, "evaluator", settings.evaluations[0].evaluator)
    from zk0_core.score import score

    figures: dict[str, Any] = dict(score(model, choice, dataset, output))
    if as_json:
        echo_json(figures)
        return
    echo_figures(figures)


def default_dataset(registry: Registry, evaluator: str) -> str:
    """Return what to score on; an unknown evaluator is told later."""
    if evaluator not in registry.names("evaluator"):
        return STARTS
    record = registry.get("evaluator", evaluator)
    assert isinstance(record, EvaluatorPlugin)
    return EPISODES if record.reads_episodes else STARTS
