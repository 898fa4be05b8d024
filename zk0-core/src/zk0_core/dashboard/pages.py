"""The dashboard's pages: that of a run's report, which follows the run, and the list of runs."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from zk0_core.dashboard.runs import Entry, State
from zk0_core.dashboard.sources import NodeLine, Source
from zk0_core.errors import Zk0Error
from zk0_core.report.figures import figures_of
from zk0_core.report.films import Film, choose_films
from zk0_core.report.page import Live, environment, html, style
from zk0_core.report.reading import read_run

_FOLDER = Path(__file__).parent


def run_page(name: str, folder: Path, state: State, alone: bool) -> str:
    """Return the page of the run in `folder` as it stands now.

    Args:
        name: What it is called in the list.
        folder: The run's.
        state: How it stands.
        alone: Whether it is the only run, so that there is no list to go back to.
    """
    script = (_FOLDER / "live.js").read_text(encoding="utf-8")
    live = Live(state.version, state.text, state.log, script, alone)
    try:
        run = read_run(folder)
    except Zk0Error as error:
        # The page comes up by itself when there is something to show.
        return (
            environment(_FOLDER)
            .get_template("waiting.html.j2")
            .render(name=name, reason=str(error), live=live, **style())
        )

    def address(film: Film) -> str:
        return quote(film.path.relative_to(folder).as_posix())

    return html(run, figures_of(run), choose_films(folder), live, address)


def list_page(source: Source, entries: Sequence[Entry]) -> str:
    """Return the list of runs, and of the nodes where there are any."""
    nodes: Sequence[NodeLine] | None = None
    trouble = ""
    try:
        nodes = source.nodes()
    except Zk0Error as error:
        trouble = str(error)
    return (
        environment(_FOLDER)
        .get_template("runs.html.j2")
        .render(title=source.title, entries=entries, nodes=nodes, trouble=trouble, **style())
    )
