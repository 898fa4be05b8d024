"""`zk0 plan`: what is planned, before anything runs."""

from pathlib import Path
from typing import Any

import attrs
import click

from zk0_cli.curves import (
    Curves,
    PlannedRound,
    check_plot_path,
    echo_picture,
    planned_curves,
    plot_curves,
)
from zk0_cli.lazy import LazyGroup
from zk0_cli.plugin_flags import PluginFlagsCommand
from zk0_cli.run import echo_help, resolved, run, run_flags
from zk0_cli.run_settings import RunFlags
from zk0_cli.table import echo_json, echo_table
from zk0_core.run_values import RunValues

COMMANDS = {
    "preview": ("zk0_cli.plan:preview", "lr and mu of the planned rounds, as a picture."),
}

LISTED_RESTARTS = 10
"""How many restarts the table lists; `cosine` has one in every round."""

_OF_THE_RUN = {"reporters", "push_to", "push_after", "eval_every", "checkpoint_every"}
_OF_THE_MACHINE = {"engine", "workers"}
CHOOSE_WHAT_IS_TRAINED = {
    field.name for kind in (RunFlags, RunValues) for field in attrs.fields(kind)
} - (_OF_THE_RUN | _OF_THE_MACHINE)
"""The flags of `zk0 run` that count where nothing is run as it stands."""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="What is planned, before anything runs.",
    epilog="Example: zk0 plan preview --scheduler warm-restarts --scheduler.t-0 5",
)
def plan() -> None:
    """What is planned, before anything runs."""


@click.command(
    "preview",
    cls=PluginFlagsCommand,
    params=[p for p in run.params if p.name in CHOOSE_WHAT_IS_TRAINED],
    add_help_option=False,
    short_help="lr and mu of the planned rounds, as a picture.",
    epilog="Example: zk0 plan preview --scheduler warm-restarts --scheduler.t-0 5",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    default="schedules.png",
    show_default=True,
    help="Where the picture goes; one that is there is replaced.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the values at every local step.")
@click.option(
    "--help", "show_help", is_flag=True, help="Show this, with the chosen plugins' options."
)
@click.pass_context
def preview(
    ctx: click.Context, /, plot: Path, as_json: bool, show_help: bool, **flags: Any
) -> None:
    """Draw lr and mu of the planned rounds, as flags, RUNFILE and preset say; nothing is run.

    Schedulers that look at what happens in a run are drawn as if nothing happened.
    """
    asked = run_flags(flags)
    if show_help:
        echo_help(ctx, asked)
        return
    check_plot_path(plot)
    curves = planned_curves(resolved(ctx, asked))
    plot_curves(curves, plot)
    if as_json:
        echo_json({**attrs.asdict(curves), "notice": curves.notice, "picture": str(plot)})
        return
    _echo_rounds(curves)
    echo_picture(curves, plot)


def _echo_rounds(curves: Curves) -> None:
    """Print the first round, the last one, and those that restart."""
    restarts = [entry.round for entry in curves.rounds if entry.restart]
    marks = dict.fromkeys(restarts[:LISTED_RESTARTS], "restart")
    marks[curves.rounds[-1].round] = "last"
    marks[1] = "first"
    rows = [
        _row(entry, marks[entry.round], curves.has_mu)
        for entry in curves.rounds
        if entry.round in marks
    ]
    echo_table(("round", "", "lr at first step", "lr at last step", "mu at last step"), rows)
    hidden = len(restarts) - LISTED_RESTARTS
    if hidden > 0:
        click.echo(f"{hidden} more restarts, the last in round {restarts[-1]}")


def _row(entry: PlannedRound, mark: str, has_mu: bool) -> tuple[str, ...]:
    mu = f"{entry.mu[-1]:.6g}" if has_mu else "-"
    return str(entry.round), mark, f"{entry.lr[0]:.6g}", f"{entry.lr[-1]:.6g}", mu
