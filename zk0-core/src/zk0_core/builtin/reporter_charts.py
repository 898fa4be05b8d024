"""Pictures of a run: losses, success, learning rate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.records import NoOptions, ReporterPlugin

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan


class ChartsReporter:
    """Draws `charts/run.png` when a run is over."""

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Remember where to draw."""
        self._path = folder / "charts" / "run.png"

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Nothing is drawn before the end."""

    def finish(self, history: "History") -> None:
        """Draw the charts."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        from zk0_core.files import whole_file

        figure = Figure(figsize=(13, 3.8), layout="constrained")
        FigureCanvasAgg(figure)
        losses, success, lr = figure.subplots(1, 3)
        _draw_losses(losses, history)
        _draw_success(success, history)
        _draw_lr(lr, history)
        for axes in (losses, success, lr):
            axes.set_xlabel("round")
            axes.grid(alpha=0.3)
        with whole_file(self._path) as temporary:
            figure.savefig(temporary, dpi=110)


def _draw_losses(axes: Any, history: "History") -> None:
    axes.set_title("policy loss")
    clients = sorted({entry.client for record in history.rounds for entry in record.clients})
    for client in clients:
        points = [
            (record.round, entry.policy_loss)
            for record in history.rounds
            for entry in record.clients
            if entry.client == client
        ]
        axes.plot(*zip(*points, strict=True), alpha=0.6, linewidth=1, label=_plain(client))
    server = [(r.round, r.policy_loss) for r in history.rounds if r.policy_loss is not None]
    if server:
        axes.plot(*zip(*server, strict=True), color="black", label="held out")
    if clients or server:
        axes.legend(fontsize=8)


def _draw_success(axes: Any, history: "History") -> None:
    from zk0_core.intervals import Interval
    from zk0_core.report.rates import Rate, of_dataset

    axes.set_title("closed-loop success, 95 % interval")
    axes.set_ylim(0, 1)
    by_name: dict[str, list[tuple[int, Rate]]] = {}
    for record in history.rounds:
        for entry in record.datasets:
            if rate := of_dataset(entry):
                by_name.setdefault(entry["name"], []).append((record.round, rate))
    for name, points in by_name.items():
        rounds, rates = zip(*points, strict=True)
        values = [rate.value for rate in rates]
        # Without an interval, none is drawn.
        ends = [rate.interval or Interval(rate.value, rate.value) for rate in rates]
        axes.plot(rounds, values, marker="o", markersize=3, label=_plain(name))
        lows, highs = [end.low for end in ends], [end.high for end in ends]
        axes.fill_between(rounds, lows, highs, alpha=0.2)
    if by_name:
        axes.legend(fontsize=7, loc="upper left")


def _draw_lr(axes: Any, history: "History") -> None:
    axes.set_title("learning rate at the round's last step")
    points = [(record.round, record.lr) for record in history.rounds if record.lr is not None]
    if points:
        axes.plot(*zip(*points, strict=True), marker=".")
        axes.set_yscale("log")


def _plain(name: str) -> str:
    """Return `name` so that Matplotlib takes no part of it for mathematics."""
    return name.replace("$", r"\$")


def build(options: NoOptions) -> ChartsReporter:
    """Return the reporter."""
    return ChartsReporter()


PLUGIN = ReporterPlugin(
    name="charts", summary="Pictures of losses, success and learning rate", build=build
)
