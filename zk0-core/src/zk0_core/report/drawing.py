"""Charts as SVG whose colours are the page's, so that they change with its theme."""

import io
import re
from typing import Any

from zk0_core.report.charts import COLOURS, Chart, Series

# Matplotlib knows no CSS variables: it draws in colours that nothing else has, which are replaced.
_STAND_INS = {
    "#010203": "var(--ink)",
    "#010204": "var(--faint)",
    "#010205": "var(--grid)",
    **{f"#0102{16 + number:02x}": f"var(--series-{number})" for number in range(1, COLOURS + 1)},
}
_INK, _FAINT, _GRID = list(_STAND_INS)[:3]
_COLOURS = list(_STAND_INS)[3:]

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "zk0",  # the same run gives the same page
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
}


def svg(chart: Chart) -> str:
    """Return `chart` as an SVG element; names of clients and datasets are not in it."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.4, 2.7), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for round in chart.lost:
            axes.axvspan(round - 0.5, round + 0.5, color=_GRID, alpha=0.5, linewidth=0)
        # Dashes go on top of what they may hide; else the first is most important, so drawn last.
        for curve in sorted(reversed(chart.series), key=lambda curve: curve.dashed):
            _draw(axes, curve)
        _axes(axes, chart)
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return _inlined(written.getvalue(), chart)


def _draw(axes: Any, curve: Series) -> None:
    colour = {0: _INK, -1: _FAINT}.get(curve.colour) or _COLOURS[curve.colour - 1]
    rounds, values = zip(*curve.points, strict=True)
    axes.plot(
        rounds,
        values,
        color=colour,
        linewidth=2 if curve.colour == 0 or curve.band else 1.2,
        linestyle="--" if curve.dashed else "-",
        # A single point is no line; of few, each is to be seen.
        marker="o" if len(rounds) <= 20 and curve.colour != -1 else "",
        markersize=3,
    )
    if curve.band:
        lows, highs = zip(*curve.band, strict=True)
        axes.fill_between(rounds, lows, highs, color=colour, alpha=0.2, linewidth=0)


def _axes(axes: Any, chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.grid(visible=True)
    axes.set_xlabel("round")
    axes.set_ylabel(chart.unit)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if chart.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.3g}".replace("e-0", "e−"))
        axes.yaxis.set_minor_formatter("")
        return
    axes.set_ylim(0, chart.top)
    if chart.top == 1:
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")


def _inlined(text: str, chart: Chart) -> str:
    """Return the element alone, with the page's colours and names that are unique in the page."""
    element = text[text.index("<svg") :]
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    for name in (r'(id=")', r"(url\(#)", r'(href="#)'):
        element = re.sub(name, rf"\g<1>{chart.key}-", element)
    for stand_in, colour in _STAND_INS.items():
        element = element.replace(stand_in, colour)
    # The page scales it, and says in words what it shows.
    return re.sub(r'<svg ([^>]*?)width="[^"]*" ', r'<svg aria-hidden="true" \1', element, count=1)
