"""`install-service` of server and node: units for systemd."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from zk0_cli.node_flags import as_words, check_node_flags, node_flags
from zk0_cli.server import name_option
from zk0_core.errors import UsageError
from zk0_core.federation.folder import DEFAULT_NAME, NodeFolder, ServerFolder

system_option = click.option(
    "--system", is_flag=True, help="A unit of the machine's, not of this user's; needs root."
)


@click.command(
    "install-service",
    short_help="Write a systemd unit, so that the server starts with this machine.",
    epilog="Example: zk0 server install-service --name arms",
)
@name_option
@system_option
def server_service(name: str, system: bool) -> None:
    """Write a systemd unit that starts the server of federation NAME as it was started last."""
    from zk0_core.federation.server import settings_of

    _look_where_its_user_does(system)
    settings_of(ServerFolder.of(name))
    _install(
        f"zk0-server-{name}",
        f"zk0, server of federation {name}",
        ("server", "start", "--name", name, "--foreground"),
        system,
    )


@click.command(
    "install-service",
    short_help="Write a systemd unit, so that the node starts with this machine.",
    epilog="Example: zk0 client install-service local:/data/left-desk",
)
@click.argument("dataset", metavar="URI")
@click.option(
    "--federation", metavar="NAME", default=DEFAULT_NAME, show_default=True, help="Which one."
)
@node_flags
@system_option
def client_service(dataset: str, federation: str, system: bool, **flags: Any) -> None:
    """Write a systemd unit that trains on the dataset at URI, and tries until it is connected."""
    from zk0_core.federation.node_status import settings_of

    check_node_flags(flags)
    uri = _from_the_root_on(dataset)
    _look_where_its_user_does(system)
    settings_of(NodeFolder.of(federation))
    arguments = ["client", "start", uri, "--federation", federation, "--retry", "--foreground"]
    arguments += as_words(flags)
    _install(f"zk0-client-{federation}", f"zk0, node of federation {federation}", arguments, system)


def _look_where_its_user_does(system: bool) -> None:
    """Have this process, and the unit, use the folder of whoever called sudo."""
    from zk0_core.federation.services import home_of_sudo_user

    if system and (home := home_of_sudo_user(os.environ)):
        os.environ["ZK0_HOME"] = home


def _from_the_root_on(dataset: str) -> str:
    """Return `dataset` with its folders from the root on: a service starts in another one."""
    from zk0_core.addresses import JOIN, Address, split_joined

    parts = []
    for part in split_joined(dataset):
        address = Address.parse(part)
        if address.scheme == "local" and not address.place.startswith(("/", "~")):
            part = f"local:{quote(str(Path.cwd()))}/{part.partition(':')[2]}"
        parts.append(part)
    return JOIN.join(parts)


def _install(name: str, description: str, arguments: Sequence[str], system: bool) -> None:
    from zk0_core.federation import services

    text = services.unit(description, arguments, system=system, environment=os.environ)
    try:
        path, command = services.install(name, text, system=system)
    except PermissionError as refused:
        raise UsageError(
            f"{refused.filename or services.unit_path(name, system=system)} cannot be written; "
            "run this with sudo, or leave --system out"
        ) from None
    click.echo(f"wrote {path}")
    click.echo(f"start it with: {command}")
    if system and "SUDO_USER" in os.environ:
        names = ",".join(services.KEPT_VARIABLES)
        click.echo(f"sudo forgets what is set of these: sudo --preserve-env={names} keeps it")
    if not system:
        click.echo("for a start without anybody logged in: loginctl enable-linger")
