"""The picture of a comparison: success of every arm with its interval."""

from collections.abc import Sequence
from pathlib import Path

import attrs

from zk0_core.compare.arms import ALONE, ALONE_TOTAL, CENTRALIZED, FEDERATED, WITHOUT
from zk0_core.compare.scores import START, Score
from zk0_core.files import whole_file

_COLOURS = {
    START: "#9a9a9a",
    FEDERATED: "#1b7f5c",
    CENTRALIZED: "#3b6fb6",
    ALONE: "#d9a441",
    ALONE_TOTAL: "#b5651d",
    WITHOUT: "#7a5195",
}


def draw_scores(scores: Sequence[Score], path: Path) -> None:
    """Draw `scores` to the PNG file `path`: one bar an arm, one dot a seed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.3 + 0.36 * len(scores)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, score in enumerate(scores):
        low, high = attrs.astuple(score.interval())
        axes.barh(place, score.rate, color=_COLOURS[score.kind], alpha=0.85)
        axes.plot([low, high], [place, place], color="black", linewidth=1.2)
        axes.plot(score.successes.mean(axis=1), [place] * len(score.seeds), "k.", markersize=5)
    axes.set_yticks(range(len(scores)), [f"{s.name} ({s.steps:,} steps)" for s in scores])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("closed-loop success; line: 95 % interval, dots: seeds")
    axes.grid(axis="x", alpha=0.3)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=110)
