"""What the page's curves show, as numbers; `drawing` draws them."""

from collections.abc import Iterable, Sequence

import attrs

from zk0_core.report import rates
from zk0_core.report.formats import number, percent
from zk0_core.report.reading import Run

COLOURS = 8
"""Series of one chart that have a colour of their own; the page defines so many."""


@attrs.frozen
class Series:
    """One curve."""

    label: str
    points: tuple[tuple[int, float], ...]
    """Round and value."""
    band: tuple[tuple[float, float], ...] = ()
    """95 % interval at each point; empty for none."""
    colour: int = 0
    """0 is the ink, 1 to COLOURS are colours, −1 is faint."""
    dashed: bool = False


@attrs.frozen
class Chart:
    """One picture: curves over rounds."""

    key: str
    """Unique in the page, of letters and dashes."""
    title: str
    series: tuple[Series, ...]
    lost: tuple[int, ...]
    """Rounds that did not count."""
    log: bool = False
    top: float | None = None
    """Upper end of the axis; None to fit."""
    unit: str = ""

    @property
    def text(self) -> str:
        """What it shows, in words, for those who cannot see it."""
        write = percent if self.top == 1 else number
        ends = [
            f"{curve.label} {write(curve.points[0][1])} in round {curve.points[0][0]}, "
            f"{write(curve.points[-1][1])} in round {curve.points[-1][0]}"
            for curve in self.series[:COLOURS]
        ]
        rest = len(self.series) - COLOURS
        if rest > 0:
            ends.append(f"and {rest} more")
        return f"{self.title} by round. {'; '.join(ends)}."


def charts_of(run: Run) -> list[Chart]:
    """Return the charts of `run` that have anything to show."""
    rounds = run.history.rounds
    trained = [record for record in rounds if record.lr is not None]
    uses_mu = any(record.mu for record in trained)
    lost = tuple(record.round for record in rounds if not record.counted)
    up = [(record.round, record.bytes_up / 1e6) for record in trained]
    down = [(record.round, record.bytes_down / 1e6) for record in trained]
    client_seconds = [(r.round, r.mean_client("seconds")) for r in trained]
    charts = [
        Chart("loss", "Policy loss", (*_held_out(run), *_by_client(run)), lost),
        Chart("success", "Closed-loop success", tuple(_success(run)), lost, top=1),
        Chart("lr", "Learning rate", tuple(_one("lr", run, "lr")), lost, log=True),
        Chart("mu", "Proximal weight mu", tuple(_one("mu", run, "mu")) if uses_mu else (), lost),
        Chart(
            "bytes",
            "Megabytes sent",
            (*_curve("to the clients", down), *_curve("to the server", up, colour=1, dashed=True)),
            lost,
            unit="MB",
        ),
        Chart(
            "seconds",
            "Time",
            (
                *_curve("whole round", [(record.round, record.seconds) for record in rounds]),
                *_curve("mean client", client_seconds, colour=1, dashed=True),
            ),
            lost,
            unit="s",
        ),
    ]
    return [chart for chart in charts if chart.series]


def _held_out(run: Run) -> Iterable[Series]:
    return _curve("held out", [(r.round, r.policy_loss) for r in run.history.rounds])


def _by_client(run: Run) -> Iterable[Series]:
    """Yield a curve for each client; with many, all are faint and their mean is drawn besides."""
    points: dict[str, list[tuple[int, float | None]]] = {}
    for record in run.history.rounds:
        for entry in record.clients:
            points.setdefault(entry.client, []).append((record.round, entry.policy_loss))
    if len(points) <= COLOURS:
        for colour, client in enumerate(sorted(points), start=1):
            yield from _curve(client, points[client], colour=colour)
        return
    means = [(r.round, r.mean_client("policy_loss")) for r in run.history.rounds]
    yield from _curve("mean client", means, colour=1)
    for client in sorted(points):
        yield from _curve(client, points[client], colour=-1)


def _success(run: Run) -> Iterable[Series]:
    points: dict[str, list[tuple[int, rates.Rate]]] = {}
    for record in run.history.rounds:
        for figures in record.datasets:
            if rate := rates.of_dataset(figures):
                points.setdefault(figures["name"], []).append((record.round, rate))
    for place, (dataset, found) in enumerate(points.items()):
        intervals = [rate.interval for _, rate in found if rate.interval]
        yield Series(
            dataset,
            tuple((round, rate.value) for round, rate in found),
            # An evaluator gives an interval always or never.
            tuple((i.low, i.high) for i in intervals) if len(intervals) == len(found) else (),
            place % COLOURS + 1,
        )


def _one(label: str, run: Run, figure: str) -> Iterable[Series]:
    points = [(record.round, getattr(record, figure)) for record in run.history.rounds]
    return _curve(label, points)


def _curve(
    label: str, points: Sequence[tuple[int, float | None]], colour: int = 0, dashed: bool = False
) -> Iterable[Series]:
    known = tuple((round, value) for round, value in points if value is not None)
    if known:
        yield Series(label, known, (), colour, dashed)
