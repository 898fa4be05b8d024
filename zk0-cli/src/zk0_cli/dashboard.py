"""`zk0 dashboard`: the page of runs, live."""

from pathlib import Path

import click


@click.command(
    "dashboard",
    short_help="The page of runs, live.",
    epilog="Example: zk0 dashboard outputs/demo",
)
@click.argument("place", metavar="[RUN]", default="outputs", type=click.Path(path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="On this machine; 0: any that is free.",
)
def dashboard(place: Path, port: int) -> None:
    """Show RUN, the folder of a run, as it goes on; or all runs of a folder, by default outputs.

    It is the page of zk0 report, which grows with the run: curves, videos, and the end of the
    log. Only this machine can open it, and nothing can be changed by it. End it with Ctrl-C.
    """
    from zk0_core.dashboard.app import serve

    serve(place, port, lambda address: click.echo(f"dashboard: {address}  (Ctrl-C ends it)"))
