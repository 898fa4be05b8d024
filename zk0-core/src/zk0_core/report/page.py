"""The page itself: figures, curves and films in one HTML file that fetches nothing."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.files import write_text
from zk0_core.report import formats
from zk0_core.report.figures import Figures, figures_of
from zk0_core.report.films import Film, Reel, choose_films
from zk0_core.report.reading import Run
from zk0_core.report.verdict import verdict_of

if TYPE_CHECKING:
    from jinja2 import Environment

NAME = "report.html"

_FOLDER = Path(__file__).parent


@attrs.frozen
class Plugin:
    """A plugin of the run, as its settings list it."""

    kind: str
    name: str
    origin: str
    """Distribution and version."""
    options: str


def write_page(run: Run, path: Path) -> Figures:
    """Write the page of `run` to `path`, and return the figures it shows."""
    figures = figures_of(run)
    write_text(path, html(run, figures, choose_films(run.folder)))
    return figures


def embedded(film: Film) -> str:
    """Return the address that holds a film's bytes."""
    return f"data:video/mp4;base64,{base64.b64encode(film.path.read_bytes()).decode()}"


@attrs.frozen
class Live:
    """What a page says besides when it is served while the run goes on."""

    version: str
    """Changes when the page would."""
    text: str
    """How the run stands."""
    log: str
    """The end of the server's log."""
    script: str
    """What keeps the page up to date."""
    alone: bool
    """Whether there is no list of runs to go back to."""


def html(
    run: Run,
    figures: Figures,
    reel: Reel,
    live: Live | None = None,
    address: Callable[[Film], str] = embedded,
) -> str:
    """Return the page.

    Args:
        run: What it is of.
        figures: Those of the run.
        reel: The videos that it shows.
        live: What is shown besides where it is served; None for a page that is closed in itself.
        address: Video to where the page finds it; by default in itself.
    """
    from markupsafe import Markup

    from zk0_core.report.drawing import svg

    script = (_FOLDER / "page.js").read_text(encoding="utf-8") + (live.script if live else "")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        environment(_FOLDER)
        .get_template("page.html.j2")
        .render(
            figures=figures,
            verdict=verdict_of(figures),
            reel=reel,
            charts=[(chart, Markup(svg(chart))) for chart in figures.charts],
            rounds=run.history.rounds,
            values=_values(run),
            plugins=_plugins(run),
            plan=run.plan,
            script=Markup(script),
            script_hash=digest,
            live=live,
            address=address,
            **style(),
        )
    )


def style() -> dict[str, Any]:
    """Return the page's style, which a page of another template has too."""
    from markupsafe import Markup

    return {"style": Markup((_FOLDER / "page.css").read_text(encoding="utf-8"))}


def environment(folder: Path) -> "Environment":
    """Return where templates of `folder` come from, with the ways in which the page writes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in (
        formats.percent,
        formats.percents,
        formats.points,
        formats.number,
        formats.relative,
        formats.size,
        formats.duration,
        _poster,
    ):
        environment.filters[write.__name__.strip("_")] = write
    return environment


def _poster(film: Film) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(film.poster).decode()}"


def _values(run: Run) -> dict[str, Any]:
    return {key: value for key, value in run.plan.items() if not isinstance(value, dict | list)}


def _plugins(run: Run) -> list[Plugin]:
    """Return every plugin that the plan names, wherever it stands in it."""
    found: list[Plugin] = []

    def look(value: Any) -> None:
        if isinstance(value, list):
            for entry in value:
                look(entry)
        elif isinstance(value, dict) and {"kind", "name"} <= value.keys():
            options = ", ".join(f"{key} = {option}" for key, option in value["options"].items())
            origin = f"{value.get('distribution', '')} {value.get('version', '')}".strip()
            found.append(Plugin(value["kind"], value["name"], origin, options))
        elif isinstance(value, dict):
            for entry in value.values():
                look(entry)

    look(dict(run.plan))
    return sorted(found, key=lambda plugin: plugin.kind)
