"""`zk0 client stop`, `status`, `logs`, `pause`, `resume`: a node that runs."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import click

from zk0_cli.client import federation_option
from zk0_cli.table import echo_json
from zk0_core.errors import UsageError
from zk0_core.federation.folder import NodeFolder

if TYPE_CHECKING:
    from zk0_core.federation.records import NodeStatus

STOP_SECONDS = 15.0


@click.command(
    "stop", short_help="Leave the federation for now.", epilog="Example: zk0 client stop"
)
@federation_option
def stop(federation: str) -> None:
    """End the node; the server does not wait for it, and it may come back at any time."""
    from zk0_cli.background import end

    end(running(NodeFolder.of(federation)).pid, STOP_SECONDS)
    click.echo("the node has ended")


@click.command(
    "status", short_help="What the node is doing.", epilog="Example: zk0 client status --json"
)
@federation_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(federation: str, as_json: bool) -> None:
    """What the node is doing: run, round, loss, bytes, errors."""
    node = running(NodeFolder.of(federation))
    facts = attrs.asdict(node)
    if as_json:
        echo_json(facts)
        return
    for key, value in facts.items():
        if value not in ("", None, 0):
            click.echo(f"{key.replace('_', ' '):<12}  {value}")


@click.command(
    "logs", short_help="What the node and its processes said.", epilog="Example: zk0 client logs -f"
)
@federation_option
@click.option(
    "--of",
    "process",
    type=click.Choice(["node", "trainer", "supernode"]),
    default="node",
    show_default=True,
    help="Whose log.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes; Ctrl-C ends it.")
def logs(federation: str, process: str, follow: bool) -> None:
    """What the node said, its trainer or its SuperNode."""
    from zk0_cli.background import echo_log
    from zk0_core.federation.node_status import settings_of

    folder = NodeFolder.of(federation)
    settings = settings_of(folder)
    # A trainer's log has the client's name, as in a simulation.
    stem = settings.name if process == "trainer" else process
    echo_log(folder.logs / f"{stem}.log", follow)


@click.command(
    "pause",
    short_help="Take no work for now; all stays loaded.",
    epilog="Example: zk0 client pause",
)
@federation_option
def pause(federation: str) -> None:
    """Take no work until zk0 client resume or the next start; a round goes on to its end first."""
    folder = NodeFolder.of(federation)
    running(folder)
    folder.paused.touch()
    _await(folder, lambda node: node.state == "paused")


@click.command("resume", short_help="Take work again.", epilog="Example: zk0 client resume")
@federation_option
def resume(federation: str) -> None:
    """Take work again, after zk0 client pause."""
    folder = NodeFolder.of(federation)
    running(folder)
    if not folder.paused.exists():
        raise UsageError("the node is not paused")
    folder.paused.unlink()
    _await(folder, lambda node: node.state != "paused")


def _await(folder: NodeFolder, reached: "Callable[[NodeStatus], bool]") -> None:
    while not reached(node := running(folder)):
        time.sleep(0.2)
    click.echo(f"the node is {node.state}")


def running(folder: NodeFolder) -> "NodeStatus":
    """Return what the node does.

    Raises:
        UsageError: if it does not run.
    """
    from zk0_core.federation.node_status import status_of

    node = status_of(folder)
    if node is None:
        raise UsageError(
            f"no node of federation '{folder.path.parent.name}' runs here; zk0 client start URI"
        )
    return node
