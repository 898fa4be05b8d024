"""`zk0 client start`: train on a dataset whenever the federation asks for it."""

import socket
import sys
from pathlib import Path
from typing import Any

import click

from zk0_cli.client import federation_option
from zk0_cli.client_enroll import join_by
from zk0_cli.node_flags import check_node_flags, node_flags, node_options
from zk0_core.errors import UsageError
from zk0_core.federation.folder import NodeFolder


@click.command(
    "start",
    short_help="Train on a dataset of yours, in the background.",
    epilog="Example: zk0 client start local:/data/left-desk",
)
@click.argument("dataset", metavar="URI")
@federation_option
@click.option("--join", "invitation", metavar="STRING", help="An invitation: enrolls as well.")
@click.option(
    "--insecure",
    is_flag=True,
    help="With --join: the server has no TLS, and is on this machine or in a tunnel.",
)
@click.option(
    "--node",
    metavar="NAME",
    help="With --join: what this node is called.  [default: host name]",
)
@node_flags
@click.option("--retry", is_flag=True, help="Go on trying when the first connection fails.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal, as services do.")
def start(
    dataset: str,
    federation: str,
    invitation: str | None,
    insecure: bool,
    node: str | None,
    retry: bool,
    foreground: bool,
    **flags: Any,
) -> None:
    """Train on the dataset at URI whenever the federation asks for it.

    Dataset, device and code are this node's own choice: the server names none of them.
    """
    from zk0_cli.client_process import run_here, run_in_background
    from zk0_core.addresses import Address, split_joined
    from zk0_core.federation.node_status import settings_of, status_of

    check_node_flags(flags)
    if node is not None and invitation is None:
        raise UsageError("--node goes with --join; zk0 client enroll names a node otherwise")
    if insecure and invitation is None:
        raise UsageError("--insecure goes with --join; zk0 client enroll takes it otherwise")
    for part in [] if retry else split_joined(dataset):
        address = Address.parse(part)
        if address.scheme == "local" and not Path(address.place).expanduser().is_dir():
            raise UsageError(
                f"dataset '{part}': there is no folder {address.place}; check the path"
            )
    folder = NodeFolder.of(federation)
    if (now := status_of(folder)) is not None:
        raise UsageError(f"the node runs already, as process {now.pid}; zk0 client stop ends it")
    if invitation is not None:
        join_by(invitation, folder, node or socket.gethostname(), insecure)
    settings_of(folder)
    options = node_options(dataset, retry, flags)
    if foreground:
        run_here(folder, options)
    else:
        run_in_background(folder, sys.argv[1:])
