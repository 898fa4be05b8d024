"""`zk0 server`: the server of a federation, its nodes and invitations."""

import attrs
import click

from zk0_cli.lazy import LazyGroup
from zk0_cli.table import echo_json
from zk0_core.federation.folder import DEFAULT_NAME, ServerFolder

COMMANDS = {
    "start": ("zk0_cli.server_start:start", "Start the server, in the background."),
    "stop": ("zk0_cli.server:stop", "End the server and every process of it."),
    "status": ("zk0_cli.server:status", "Where it is served, who is there, what runs."),
    "logs": ("zk0_cli.server:logs", "What the server and its processes said."),
    "nodes": ("zk0_cli.server_nodes:nodes", "Who may take part."),
    "invite": ("zk0_cli.server_nodes:invite", "One string that lets one node join."),
    "install-service": (
        "zk0_cli.services:server_service",
        "Write a systemd unit, so that the server starts with this machine.",
    ),
}

STOP_SECONDS = 15.0

name_option = click.option(
    "--name",
    metavar="NAME",
    default=DEFAULT_NAME,
    show_default=True,
    help="The federation; one machine may serve several.",
)


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="The server of a federation, its nodes and invitations.",
    epilog="Example: zk0 server start --name arms --address arms.example.org",
)
def server() -> None:
    """The server of a federation over a network."""


def echo_address(folder: ServerFolder) -> None:
    """Print where a server that runs here is reached, and by what it is known."""
    from zk0_core.federation.authority import authority_of, end_of, warning
    from zk0_core.federation.server import running, settings_of

    process, settings = running(folder), settings_of(folder)
    authority = authority_of(folder, settings)
    click.echo(f"federation  {folder.name}")
    click.echo(f"address     {process.address}")
    click.echo(f"authority   {authority or 'none: without TLS, for this machine alone'}")
    if authority:
        until = f"holds until {end_of(folder, settings):%Y-%m-%d}"
        click.echo(f"certificate {warning(folder, settings) or until}")
    click.echo(f"process     {process.pid}, since {process.started}")
    click.echo(f"folder      {folder.path}")


@click.command(
    "stop",
    short_help="End the server and every process of it.",
    epilog="Example: zk0 server stop --name arms",
)
@name_option
def stop(name: str) -> None:
    """End the server and every process of it; a run that goes on is taken up at the next start."""
    from zk0_cli.background import end
    from zk0_core.federation.server import running

    folder = ServerFolder.of(name)
    end(running(folder).pid, STOP_SECONDS)
    click.echo(f"the server of '{name}' has ended")


@click.command(
    "status",
    short_help="Where it is served, who is there, what runs.",
    epilog="Example: zk0 server status --json",
)
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str, as_json: bool) -> None:
    """Where the federation is served, which nodes are there, and which runs there are."""
    from zk0_cli.federations import echo_runs, run_rows
    from zk0_cli.server_nodes import echo_nodes, node_rows
    from zk0_core.federation.authority import authority_of, end_of
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import known_nodes, running, settings_of

    folder = ServerFolder.of(name)
    process = running(folder)
    nodes, runs = known_nodes(folder), list(Runs(folder).all())
    if as_json:
        settings = settings_of(folder)
        end = None if settings.insecure else f"{end_of(folder, settings):%Y-%m-%dT%H:%M:%SZ}"
        seen = {"authority": authority_of(folder, settings), "certificate_until": end}
        facts = {**attrs.asdict(process), **seen}
        echo_json({**facts, "nodes": node_rows(folder, nodes), "runs": run_rows(runs)})
        return
    echo_address(folder)
    click.echo()
    echo_nodes(folder, nodes)
    click.echo()
    echo_runs(runs)


@click.command(
    "logs",
    short_help="What the server and its processes said.",
    epilog="Example: zk0 server logs -f",
)
@name_option
@click.option(
    "--of",
    "process",
    type=click.Choice(["server", "front", "nginx", "superlink", "launcher"]),
    default="server",
    show_default=True,
    help="Whose log.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends it.")
def logs(name: str, process: str, follow: bool) -> None:
    """What the server said, or one of its processes."""
    from zk0_cli.background import echo_log
    from zk0_core.federation.server import settings_of

    folder = ServerFolder.of(name)
    settings_of(folder)
    echo_log(folder.logs / f"{process}.log", follow)
