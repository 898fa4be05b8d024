"""`zk0 client enroll`, and what an invitation does in its stead."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zk0_cli.client import federation_option
from zk0_core.errors import UsageError
from zk0_core.federation.folder import NodeFolder

if TYPE_CHECKING:
    from zk0_core.federation.handshake import ServerAddress


@click.command(
    "enroll",
    short_help="Make this node's key; print what the admin runs.",
    epilog="Example: zk0 client enroll --server arms.example.org:9443 --authority 3f9a... "
    "--node left-desk",
)
@federation_option
@click.option("--server", required=True, metavar="HOST:PORT", help="Where the server is reached.")
@click.option(
    "--authority",
    metavar="FINGERPRINT|FILE|system",
    help="Of the server's certificate: the fingerprint that zk0 server status shows, a file with "
    "the authority's certificate, or system for those that browsers trust.",
)
@click.option(
    "--insecure", is_flag=True, help="The server has no TLS, and is on this machine or in a tunnel."
)
@click.option("--node", metavar="NAME", help="What this node is called.  [default: host name]")
def enroll(
    federation: str, server: str, authority: str | None, insecure: bool, node: str | None
) -> None:
    """Make this node's key, and print the command with which the server's admin lets it in.

    The key's private half never leaves this machine.
    """
    from zk0_core.federation.certificates import ensure_node_key
    from zk0_core.federation.enrolment import check_node_name
    from zk0_core.federation.handshake import ServerAddress
    from zk0_core.federation.insecure import PLAIN
    from zk0_core.federation.records import NodeSettings, write

    folder = NodeFolder.of(federation)
    name = node or socket.gethostname()
    check_node_name(name)
    if (authority is None) != insecure:
        raise UsageError(
            "either --authority, the fingerprint that zk0 server status shows, or --insecure for a "
            "server without TLS on this machine; give one of them"
        )
    address = ServerAddress.parse(PLAIN + server.removeprefix(PLAIN) if insecure else server)
    check_agreed(address, insecure, "--server")
    if authority is not None:
        _trust(folder, address, authority)
    key = ensure_node_key(folder.key)
    write(folder.settings, NodeSettings(server=str(address), name=name))
    click.echo(f"zk0 server nodes approve {name} '{key}'")


def _trust(folder: NodeFolder, address: "ServerAddress", authority: str) -> None:
    """Keep the certificate of the server's authority."""
    from zk0_core.federation.authority import SYSTEM
    from zk0_core.federation.certificates import fingerprint
    from zk0_core.federation.handshake import fetch_authority
    from zk0_core.files import write_bytes

    if authority == SYSTEM:
        _trust_system(folder)
        return
    if Path(authority).is_file():
        try:
            fingerprint(Path(authority))
        except ValueError:
            raise UsageError(f"--authority {authority} is no certificate in PEM form") from None
        write_bytes(folder.ca, Path(authority).read_bytes())
        return
    digits = authority.lower().replace(":", "")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise UsageError(
            f"--authority {authority} is neither a file nor a fingerprint of 64 hexadecimal "
            "digits; zk0 server status shows it"
        )
    write_bytes(folder.ca, fetch_authority(address, digits))


def _trust_system(folder: NodeFolder) -> None:
    """Trust the authorities that browsers do."""
    import certifi

    from zk0_core.files import write_bytes

    write_bytes(folder.ca, Path(certifi.where()).read_bytes())


def check_agreed(address: "ServerAddress", insecure: bool, source: str) -> None:
    """Raise UsageError unless the operator asked for no TLS just where there is none."""
    if address.insecure and not insecure:
        raise UsageError(
            f"server {address} ({source}) has no TLS; agree to that with --insecure, or ask its "
            "admin to start it with --tls"
        )
    if insecure and not address.insecure:
        raise UsageError(f"server {address} ({source}) has TLS; leave --insecure out")


def join_by(invitation: str, folder: NodeFolder, name: str, insecure: bool) -> None:
    """Enroll as `name` with an invitation, which is used up by it."""
    from zk0_core.federation.authority import SYSTEM
    from zk0_core.federation.enrolment import check_node_name, read_invitation
    from zk0_core.federation.handshake import ServerAddress, fetch_authority, join
    from zk0_core.federation.records import NodeSettings, write
    from zk0_core.files import write_bytes

    check_node_name(name)
    where, authority, token = read_invitation(invitation)
    address = ServerAddress.parse(where, "the invitation's")
    check_agreed(address, insecure, "the invitation's")
    if authority == SYSTEM:
        _trust_system(folder)
    elif not insecure:
        write_bytes(folder.ca, fetch_authority(address, authority))
    join(address, folder, name, token)
    write(folder.settings, NodeSettings(server=str(address), name=name))
