"""`zk0 server nodes` and `zk0 server invite`: who may take part."""

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from zk0_cli.lazy import LazyGroup
from zk0_cli.server import name_option
from zk0_cli.table import echo_json, echo_table
from zk0_core.federation.folder import ServerFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zk0_core.engines._flower_control import KnownNode
    from zk0_core.federation.records import DatasetSummary

COMMANDS = {
    "list": ("zk0_cli.server_nodes:list_", "Nodes that may take part, and whether they are there."),
    "approve": ("zk0_cli.server_nodes:approve", "Let a node take part."),
    "remove": ("zk0_cli.server_nodes:remove", "Let a node take part no more."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="Who may take part.",
    epilog="Example: zk0 server nodes list",
)
def nodes() -> None:
    """Who may take part in the federation."""


@click.command(
    "list",
    short_help="Nodes that may take part, and whether they are there.",
    epilog="Example: zk0 server nodes list --json",
)
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(name: str, as_json: bool) -> None:
    """Nodes that may take part, and whether they are there."""
    from zk0_core.federation.server import known_nodes

    folder = ServerFolder.of(name)
    found = known_nodes(folder)
    if as_json:
        echo_json(node_rows(folder, found))
    else:
        echo_nodes(folder, found)


@click.command(
    "approve",
    short_help="Let a node take part.",
    epilog="Example: zk0 server nodes approve left-desk 'ecdsa-sha2-nistp384 AAAAE2Vj...'",
)
@click.argument("node", metavar="NODE")
@click.argument("key", metavar="KEY")
@name_option
def approve(node: str, key: str, name: str) -> None:
    """Let NODE take part: whoever has the private half of KEY.

    zk0 client enroll prints both, as this command.
    """
    from zk0_core.federation import enrolment
    from zk0_core.federation.server import control_of

    folder = ServerFolder.of(name)
    with closing(control_of(folder)) as control:
        enrolment.approve(control, node, key)
    click.echo(f"{node} may take part in '{name}'")


@click.command(
    "remove",
    short_help="Let a node take part no more.",
    epilog="Example: zk0 server nodes remove left-desk",
)
@click.argument("node", metavar="NODE")
@name_option
def remove(node: str, name: str) -> None:
    """Let NODE take part no more; one that is connected is shut out."""
    from zk0_core.federation.enrolment import find_node
    from zk0_core.federation.server import control_of

    with closing(control_of(ServerFolder.of(name))) as control:
        control.unregister(find_node(control, node).id)
    click.echo(f"{node} takes part in '{name}' no more")


@click.command(
    "invite",
    short_help="One string that lets one node join.",
    epilog="Example: zk0 server invite --hours 24",
)
@name_option
@click.option(
    "--hours",
    type=click.FloatRange(0, 24 * 365, min_open=True),
    metavar="HOURS",
    default=48.0,
    show_default=True,
    help="How long the invitation holds.",
)
def invite(name: str, hours: float) -> None:
    """Print one string that lets one node join, once: zk0 client start URI --join STRING.

    It holds the server's address, what to trust, and a secret; send it as you would a password.
    """
    from zk0_core.federation import enrolment
    from zk0_core.federation.authority import authority_of
    from zk0_core.federation.server import is_named, running, settings_of

    folder = ServerFolder.of(name)
    address, settings = running(folder).address, settings_of(folder)
    if not is_named(settings):
        click.echo(
            f"the invitation names this machine as {address}; if nodes reach it by another name, "
            "stop the server, zk0 server start --address HOST, and invite again",
            err=True,
        )
    click.echo(enrolment.invite(folder, address, authority_of(folder, settings), hours))


def node_rows(folder: ServerFolder, nodes: "list[KnownNode]") -> list[dict[str, Any]]:
    """Return what there is to say about each node, for JSON."""
    return [{**row, "dataset": _facts(summary)} for row, summary in _described(folder, nodes)]


def _described(
    folder: ServerFolder, nodes: "list[KnownNode]"
) -> "Iterator[tuple[dict[str, Any], DatasetSummary | None]]":
    """Yield, for each node, what the server knows of it and what it said of its dataset."""
    from zk0_core.federation.about import summary_of
    from zk0_core.federation.certificates import key_id

    for node in nodes:
        row = {
            "name": node.name,
            "id": str(node.id),
            "online": node.online,
            "since": node.since,
            "seen": node.seen or None,
            "key": key_id(node.public_key),
        }
        yield row, summary_of(folder, node.name, node.public_key)


def _facts(summary: "DatasetSummary | None") -> dict[str, Any] | None:
    if summary is None:
        return None
    return {
        "kind": summary.kind,
        "name": summary.name or None,
        "episodes": summary.episodes,
        "frames": summary.frames,
    }


def echo_nodes(folder: ServerFolder, nodes: "list[KnownNode]") -> None:
    """Print the nodes as a table."""
    from zk0_core.federation.about import in_words

    rows = [
        (
            row["name"],
            "online" if row["online"] else "away",
            row["since"][:16],
            (row["seen"] or "never")[:16],
            row["key"],
            in_words(summary),
        )
        for row, summary in _described(folder, nodes)
    ]
    echo_table(("node", "is", "since", "last seen", "key", "dataset"), rows)
