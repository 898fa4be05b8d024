"""`zk0 dashboard`: the page of runs, live."""

from pathlib import Path

import click

from zk0_core.errors import UsageError


@click.command(
    "dashboard",
    short_help="The page of runs, live.",
    epilog="Example: zk0 dashboard outputs/demo",
)
@click.argument("place", metavar="[RUN]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--federation",
    metavar="NAME",
    help="Show the runs and nodes of this federation, which is served on this machine.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8765,
    show_default=True,
    help="On this machine; 0: any that is free.",
)
def dashboard(place: Path | None, federation: str | None, port: int) -> None:
    """Show RUN, the folder of a run, as it goes on; or all runs of a folder, by default outputs.

    With --federation, those of a federation, and who takes part.

    It is the page of zk0 report, which grows with the run: curves, videos, and the end of the
    log. Only this machine can open it, and nothing can be changed by it. End it with Ctrl-C.
    """
    if place is not None and federation is not None:
        raise UsageError("give either RUN or --federation, not both")
    from zk0_core.dashboard.app import serve
    from zk0_core.dashboard.sources import FolderOfRuns, ServedFederation, Source
    from zk0_core.federation.folder import ServerFolder

    source: Source = (
        FolderOfRuns(place or Path("outputs"))
        if federation is None
        else ServedFederation(ServerFolder.of(federation))
    )
    serve(source, port, lambda address: click.echo(f"dashboard: {address}  (Ctrl-C ends it)"))
