"""The lr and mu of the planned rounds: their values at every local step, and their picture."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import click

from zk0_core.errors import UsageError
from zk0_core.files import whole_file
from zk0_core.history import History
from zk0_core.parts import following, installed
from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.records import LrSchedulerPlugin, MuSchedulerPlugin, StrategyPlugin
from zk0_core.schedules import Schedules

NOTICE_WIDTH = 120
"""Characters in a line of the picture's notice."""


@attrs.frozen(kw_only=True)
class PlannedRound:
    """What every client is to train with in one round, if nothing changes it."""

    round: int
    lr: tuple[float, ...]
    """Learning rate at each local step."""
    mu: tuple[float, ...]
    """Proximal weight at each local step; zeros for a strategy without."""
    restart: bool
    """Whether a cosine of the learning rate begins anew in this round."""


@attrs.frozen(kw_only=True)
class Curves:
    """The planned rounds of a run, computed with an empty history."""

    rounds: tuple[PlannedRound, ...]
    lr_chain: tuple[str, ...]
    mu_chain: tuple[str, ...]
    has_mu: bool
    """Whether the strategy has a proximal weight."""
    history_dependent: tuple[str, ...]
    """Schedulers whose values will depend on what happens."""

    @property
    def notice(self) -> str:
        """What the curves cannot know; empty when they know all."""
        if not self.history_dependent:
            return ""
        names = ", ".join(self.history_dependent)
        verb = "depends" if len(self.history_dependent) == 1 else "depend"
        return f"{names} {verb} on the run's history: drawn as if nothing happened (empty history)"


def planned_curves(plan: RunPlan) -> Curves:
    """Return lr and mu of all rounds of `plan`, common to all clients, with an empty history."""
    with following(plan):
        schedules = Schedules.of(plan)
        strategy = cast(StrategyPlugin, _record(plan.strategy))
        history_dependent = tuple(
            choice.name
            for choice in (*plan.schedulers, *plan.mu_schedulers)
            if cast(LrSchedulerPlugin | MuSchedulerPlugin, _record(choice)).uses_history
        )
    nothing, steps = History(), plan.local_steps
    rounds = []
    for round in range(1, plan.rounds + 1):
        lr, mu = schedules.lr(round, nothing), schedules.mu(round, nothing)
        rounds.append(
            PlannedRound(
                round=round,
                lr=tuple(lr.at(step, steps) for step in range(steps)),
                mu=tuple(mu.at(step, steps) for step in range(steps)),
                restart=round > 1 and lr.hi != lr.lo and lr.phase0 == 0,
            )
        )
    return Curves(
        rounds=tuple(rounds),
        lr_chain=tuple(choice.name for choice in plan.schedulers),
        mu_chain=tuple(choice.name for choice in plan.mu_schedulers),
        has_mu=strategy.uses_mu,
        history_dependent=history_dependent,
    )


def check_plot_path(path: Path) -> None:
    """Raise UsageError unless `path` names a PNG file."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"--plot must name a .png file, got '{path}'")


def plot_curves(curves: Curves, path: Path) -> None:
    """Draw `curves` to the PNG file `path`, every local step a point; restarts are dotted lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = 2 if curves.has_mu else 1
    figure = Figure(figsize=(8, 1.2 + 2.2 * panels), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("\n".join(textwrap.wrap(curves.notice, NOTICE_WIDTH)), fontsize=8)
    (lr, *mu) = figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
    _draw(lr, [entry.lr for entry in curves.rounds], _title("lr", curves.lr_chain))
    for entry in curves.rounds:
        if entry.restart:
            lr.axvline(entry.round - 1, color="grey", linestyle=":", linewidth=0.8)
    for axes in mu:
        _draw(axes, [entry.mu for entry in curves.rounds], _title("mu", curves.mu_chain))
    (mu or [lr])[-1].set_xlabel("rounds done")
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=80)


def echo_picture(curves: Curves, path: Path, *, err: bool = False) -> None:
    """Print what `curves` cannot know, and where their picture is."""
    if curves.notice:
        click.echo(curves.notice, err=err)
    click.echo(f"picture: {path}", err=err)


def _record(choice: PluginChoice) -> Any:
    return installed().get(choice.kind, choice.name, choice.distribution)


def _title(what: str, chain: Sequence[str]) -> str:
    return f"{what}: {' → '.join(chain) or 'constant'}"


def _draw(axes: Any, values: Sequence[Sequence[float]], title: str) -> None:
    """Draw one panel; local step s of S in round r stands at r − 1 + s / S."""
    times = [
        number + step / len(of_round)
        for number, of_round in enumerate(values)
        for step in range(len(of_round))
    ]
    axes.plot(times, [value for of_round in values for value in of_round], linewidth=1.2)
    axes.set_xlim(0, len(values))
    axes.set_ylim(bottom=0)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)
