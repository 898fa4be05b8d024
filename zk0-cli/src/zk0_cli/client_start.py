"""`zk0 client start`: train on a dataset whenever the federation asks for it."""

import socket
import sys
from pathlib import Path

import click

from zk0_cli.client import federation_option
from zk0_cli.client_enroll import join_by
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
@click.option(
    "--rename",
    metavar="OLD=NEW",
    multiple=True,
    help="A camera or joint of the dataset, and the name that the policy knows it by.",
)
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:N or mps.  [default: the best]")
@click.option("--cpu", is_flag=True, help="The same as --device cpu.")
@click.option(
    "--max-rounds", type=click.IntRange(1), metavar="N", help="Leave after so many rounds."
)
@click.option(
    "--max-hours",
    type=click.FloatRange(0, min_open=True),
    metavar="HOURS",
    help="Leave after so many hours, once a round is over.",
)
@click.option(
    "--epsilon",
    type=click.FloatRange(0, min_open=True),
    metavar="NUMBER",
    help="Take part in a run until this much of the data's privacy is spent in it, and in none "
    "that adds no noise.",
)
@click.option(
    "--name-dataset",
    is_flag=True,
    help="Tell the server's admin the dataset's URI too, beside how many episodes and frames.",
)
@click.option(
    "--heartbeat",
    type=click.IntRange(10, 1800),
    metavar="SECONDS",
    default=30,
    show_default=True,
    help="The server misses this node when it has not heard of it for twice as long.",
)
@click.option("--retry", is_flag=True, help="Go on trying when the first connection fails.")
@click.option("--foreground", is_flag=True, help="Stay in this terminal, as services do.")
def start(
    dataset: str,
    federation: str,
    invitation: str | None,
    insecure: bool,
    node: str | None,
    rename: tuple[str, ...],
    device: str | None,
    cpu: bool,
    max_rounds: int | None,
    max_hours: float | None,
    epsilon: float | None,
    name_dataset: bool,
    heartbeat: int,
    retry: bool,
    foreground: bool,
) -> None:
    """Train on the dataset at URI whenever the federation asks for it.

    Dataset, device and code are this node's own choice: the server names none of them.
    """
    from zk0_core.engines.quiet import quiet_flower

    quiet_flower()
    from zk0_cli.client_process import run_here, run_in_background
    from zk0_core.addresses import Address, split_joined
    from zk0_core.federation.node import NodeOptions
    from zk0_core.federation.node_status import settings_of, status_of

    if cpu and device not in (None, "cpu"):
        raise UsageError(f"--cpu and --device {device} exclude each other; keep one")
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
    options = NodeOptions(
        dataset=dataset,
        rename=_pairs(rename),
        device=_device("cpu" if cpu else device),
        retry=retry,
        max_rounds=max_rounds or 0,
        max_hours=max_hours or 0.0,
        heartbeat=heartbeat,
        name_dataset=name_dataset,
        epsilon=epsilon,
    )
    if foreground:
        run_here(folder, options)
    else:
        run_in_background(folder, sys.argv[1:])


def _pairs(rename: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in rename]
    for text, (old, _, new) in zip(rename, pairs, strict=True):
        if not old or not new:
            raise UsageError(f"--rename {text} is not OLD=NEW")
    return {old: new for old, _, new in pairs}


def _device(asked: str | None) -> str:
    """Return the device to train on: the one asked for, or the best there is."""
    from zk0_cli.run import check_device
    from zk0_core.engines.devices import AUTO, chosen_device
    from zk0_core.options import parse_flags
    from zk0_core.run_values import RunValues

    if asked is None:
        return chosen_device(AUTO)
    parse_flags(RunValues, {"device": asked})
    check_device(asked)
    return chosen_device(asked)
