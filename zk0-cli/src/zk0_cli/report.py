"""`zk0 report`: a run's page."""

from pathlib import Path

import attrs
import click

from zk0_cli.table import echo_json
from zk0_core.errors import UsageError


@click.command(
    "report",
    short_help="A run's page: figures, curves, videos, settings.",
    epilog="Example: zk0 report outputs/demo",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the page goes; one that is there is replaced.  [default: RUN/report.html]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures that the page shows.")
def report(run: Path, output: Path | None, as_json: bool) -> None:
    """Write the page of RUN, the folder of a run that is over, going on, or was stopped.

    It is one HTML file that fetches nothing: did it learn, whom did it help, how sure is that.
    """
    if output is not None and output.is_dir():
        raise UsageError(
            f"--output {output} is a folder; name a file, such as {output / 'report.html'}"
        )
    from zk0_core.report.page import NAME, write_page
    from zk0_core.report.reading import read_run
    from zk0_core.report.verdict import verdict_of

    found = read_run(run)
    path = output or run / NAME
    figures = write_page(found, path)
    verdict = verdict_of(figures)
    if as_json:
        shown = {"verdict": attrs.asdict(verdict), **attrs.asdict(figures), "page": str(path)}
        echo_json(shown)
        return
    click.echo(verdict.learned)
    for sentence in (*verdict.sure, *verdict.whom):
        click.echo(f"  {sentence}")
    for trouble in figures.troubles:
        click.echo(f"  note: {trouble}")
    click.echo(f"page: {path}")
