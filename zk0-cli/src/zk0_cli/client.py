"""`zk0 client`: a node of a federation."""

import click

from zk0_cli.lazy import LazyGroup
from zk0_core.federation.folder import DEFAULT_NAME

COMMANDS = {
    "enroll": ("zk0_cli.client_enroll:enroll", "Make this node's key; print what the admin runs."),
    "start": ("zk0_cli.client_start:start", "Train on a dataset of yours, in the background."),
    "stop": ("zk0_cli.client_running:stop", "Leave the federation for now."),
    "status": ("zk0_cli.client_running:status", "What the node is doing."),
    "logs": ("zk0_cli.client_running:logs", "What the node and its processes said."),
    "pause": ("zk0_cli.client_running:pause", "Take no work for now; all stays loaded."),
    "resume": ("zk0_cli.client_running:resume", "Take work again."),
    "install-service": (
        "zk0_cli.services:client_service",
        "Write a systemd unit, so that the node starts with this machine.",
    ),
}
federation_option = click.option(
    "--federation", metavar="NAME", default=DEFAULT_NAME, show_default=True, help="Which one."
)


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="A node of a federation.",
    epilog="Example: zk0 client start local:/data/left-desk",
)
def client() -> None:
    """A node of a federation: it trains on data that stays on this machine."""
