"""`zk0 compare`: was federating worth it? Federated, centralized and each client alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from zk0_cli.plan import CHOOSE_WHAT_IS_TRAINED
from zk0_cli.plugin_flags import PluginFlagsCommand
from zk0_cli.progress import EchoProgress
from zk0_cli.run import echo_help, on_this_machine, resolved, run, run_flags
from zk0_cli.table import echo_json, echo_table
from zk0_core.choosing import choose
from zk0_core.errors import UsageError
from zk0_core.parts import following, installed
from zk0_core.settings import Choice

if TYPE_CHECKING:
    from zk0_core.compare.arms import Arm
    from zk0_core.compare.scores import Difference, Score

PLAIN = "fedavg"
"""The strategy of arms with one client: it adds nothing to plain training."""


@click.command(
    "compare",
    cls=PluginFlagsCommand,
    # The seed is each of the seeds.
    params=[p for p in run.params if p.name in CHOOSE_WHAT_IS_TRAINED - {"run_file", "seed"}],
    add_help_option=False,
    short_help="Federated, centralized and each client alone, side by side.",
    epilog="Example: zk0 compare --seeds 3 --output outputs/compare",
)
@click.argument("paths", metavar="[RUNFILE | RUN RUN]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    metavar="N",
    default=3,
    show_default=True,
    help="Train each variant with seeds 0 to so many less one.",
)
@click.option(
    "--leave-one-out", is_flag=True, help="Also federate all clients but one, for each client."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many variants are trained at once.  [default: one per core]",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default="outputs/compare",
    show_default=True,
    help="Where runs and result go; runs that are there already are not trained again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.option(
    "--help", "show_help", is_flag=True, help="Show this, with the chosen plugins' options."
)
@click.pass_context
def compare(
    ctx: click.Context,
    /,
    paths: tuple[Path, ...],
    seeds: int,
    leave_one_out: bool,
    jobs: int | None,
    output: Path,
    as_json: bool,
    show_help: bool,
    **flags: Any,
) -> None:
    """Train RUNFILE and flags federated, with all data in one place, and with each client alone.

    Each client is given once its own share of the training steps and once the federation's total.
    All are tried from the same starts. Two folders of finished RUNs are compared as they are.
    """
    run_file = paths[0] if len(paths) == 1 else None
    asked = run_flags({"run_file": run_file, "seed": None, **flags})
    if show_help:
        echo_help(ctx, asked)
        return
    if len(paths) == 2:
        _two_runs(paths[0], paths[1], as_json)
        return
    if len(paths) > 2:
        raise UsageError(f"compare takes one RUNFILE or two RUNs, got {len(paths)} paths")
    plan = resolved(ctx, asked)
    from zk0_core.compare.arms import arms_of
    from zk0_core.compare.comparison import compare_arms
    from zk0_core.compare.scores import as_json as everything
    from zk0_core.compare.scores import differences
    from zk0_core.engines.workers import default_count

    plan = on_this_machine(plan)
    jobs = jobs or default_count(plan.device)
    with following(plan):
        plain = choose(installed(), "strategy", Choice(PLAIN, origin="zk0 compare"))
        arms = arms_of(plan, plain, range(seeds), leave_one_out=leave_one_out)
        scores = compare_arms(arms, output, jobs, _tell, EchoProgress())
    if as_json:
        echo_json(everything(scores))
        return
    _echo_scores(scores)
    for entry in differences(scores):
        click.echo(_difference("federated", entry))
    click.echo(f"output: {output}")


def _tell(arm: "Arm", done: int, total: int) -> None:
    click.echo(f"{done}/{total}  {arm.name}, seed {arm.seed}", err=True)


def _echo_scores(scores: "list[Score]") -> None:
    # Of several datasets it matters more which, of one where on the table.
    several = len(scores[0].datasets) > 1
    rows = []
    for score in scores:
        interval = score.interval()
        by_seed = " ".join(f"{100 * rate:.0f}" for rate in score.successes.mean(axis=1))
        by_part = " ".join(
            f"{name} {counts['successes']}/{counts['rollouts']}"
            for name, counts in _parts(score, several)
        )
        rows.append(
            (
                score.name,
                f"{score.steps:,}",
                f"{100 * score.rate:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]",
                by_seed,
                "-" if score.policy_loss is None else f"{score.policy_loss:.3f}",
                by_part,
            )
        )
    part = "by dataset" if several else "by region"
    echo_table(("trained", "steps", "success [95 %]", "by seed", "held-out loss", part), rows)


def _parts(score: "Score", several: bool) -> "list[tuple[str, dict[str, int]]]":
    """Return a score's counts by dataset, under short names where these differ, or by region."""
    from zk0_core.video.choosing import folder_name

    if not several:
        return sorted(score.regions.items())
    names = {uri: folder_name(uri) for uri in score.datasets}
    unlike = len(set(names.values())) == len(names)
    return sorted((names[uri] if unlike else uri, c) for uri, c in score.datasets.items())


def _two_runs(one: Path, other: Path, as_json: bool) -> None:
    from zk0_core.compare.comparison import compare_runs

    first, second, difference = compare_runs(one, other)
    if as_json:
        echo_json(
            {
                "runs": [attrs.asdict(first), attrs.asdict(second)],
                "difference": attrs.asdict(difference),
            }
        )
        return
    echo_table(
        ("run", "starts", "success [95 %]"),
        [
            (s.run, str(s.starts), f"{100 * s.rate:.0f} % [{100 * s.low:.0f}, {100 * s.high:.0f}]")
            for s in (first, second)
        ],
    )
    click.echo(_difference(first.run, difference))


def _difference(name: str, entry: "Difference") -> str:
    return (
        f"{name} minus {entry.against}: {100 * entry.mean:+.0f} points "
        f"[{100 * entry.low:+.0f}, {100 * entry.high:+.0f}], paired by seed and start"
    )
