"""`zk0 client`: a node of a federation."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from zk0_cli.lazy import LazyGroup
from zk0_core.errors import UsageError
from zk0_core.federation.folder import DEFAULT_NAME, NodeFolder

COMMANDS = {
    "enroll": ("zk0_cli.client:enroll", "Make this node's key; print what the admin runs."),
    "start": ("zk0_cli.client:start", "Train on a dataset of yours, in the background."),
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
FIRST_SECONDS = 900.0
"""What a node gets to connect and to open its dataset before the command leaves it to itself."""

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
    required=True,
    metavar="FINGERPRINT|FILE|system",
    help="Of the server's certificate: the fingerprint that zk0 server status shows, a file with "
    "the authority's certificate, or system for what this machine trusts anyway.",
)
@click.option("--node", metavar="NAME", help="What this node is called.  [default: host name]")
def enroll(federation: str, server: str, authority: str, node: str | None) -> None:
    """Make this node's key, and print the command with which the server's admin lets it in.

    The key's private half never leaves this machine.
    """
    from zk0_core.federation.certificates import ensure_node_key
    from zk0_core.federation.enrolment import check_node_name
    from zk0_core.federation.handshake import ServerAddress
    from zk0_core.federation.records import NodeSettings, write

    folder = NodeFolder.of(federation)
    name = node or socket.gethostname()
    check_node_name(name)
    address = ServerAddress.parse(server)
    _trust(folder, address, authority)
    key = ensure_node_key(folder.key)
    write(folder.settings, NodeSettings(server=str(address), name=name))
    click.echo(f"zk0 server nodes approve {name} '{key}'")


def _trust(folder: NodeFolder, address: Any, authority: str) -> None:
    """Keep the certificate of the server's authority."""
    from zk0_core.federation.certificates import fingerprint
    from zk0_core.federation.handshake import fetch_authority
    from zk0_core.files import write_bytes

    if authority == "system":
        import certifi

        write_bytes(folder.ca, Path(certifi.where()).read_bytes())
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


@click.command(
    "start",
    short_help="Train on a dataset of yours, in the background.",
    epilog="Example: zk0 client start local:/data/left-desk",
)
@click.argument("dataset", metavar="URI")
@federation_option
@click.option("--join", "invitation", metavar="STRING", help="An invitation: enrolls as well.")
@click.option("--node", metavar="NAME", help="With --join: what this node is called.")
@click.option(
    "--rename",
    metavar="OLD=NEW",
    multiple=True,
    help="A camera or joint of the dataset, and the name that the policy knows it by.",
)
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:N or mps.  [default: the best]")
@click.option("--cpu", is_flag=True, help="The same as --device cpu.")
@click.option("--max-rounds", type=click.IntRange(1), help="Leave after so many rounds.")
@click.option(
    "--max-hours",
    type=click.FloatRange(0, min_open=True),
    help="Leave after so many hours, once a round is over.",
)
@click.option(
    "--epsilon",
    type=click.FloatRange(0, min_open=True),
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
    from zk0_core.addresses import Address, split_joined
    from zk0_core.federation.node import NodeOptions
    from zk0_core.federation.node_status import settings_of, status_of

    if cpu and device not in (None, "cpu"):
        raise UsageError(f"--cpu and --device {device} exclude each other; keep one")
    if node is not None and invitation is None:
        raise UsageError("--node goes with --join; zk0 client enroll names a node otherwise")
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
        _join(folder, invitation, node or socket.gethostname())
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
        _run_here(folder, options)
    else:
        _run_in_background(folder, sys.argv[1:])


def _join(folder: NodeFolder, invitation: str, name: str) -> None:
    from zk0_core.federation.enrolment import check_node_name, read_invitation
    from zk0_core.federation.handshake import ServerAddress, fetch_authority, join
    from zk0_core.federation.records import NodeSettings, write
    from zk0_core.files import write_bytes

    check_node_name(name)
    where, authority, token = read_invitation(invitation)
    address = ServerAddress.parse(where)
    write_bytes(folder.ca, fetch_authority(address, authority))
    join(address, folder, name, token)
    write(folder.settings, NodeSettings(server=str(address), name=name))


def _pairs(rename: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in rename]
    for text, (old, _, new) in zip(rename, pairs, strict=True):
        if not old or not new:
            raise UsageError(f"--rename {text} is not OLD=NEW")
    return {old: new for old, _, new in pairs}


def _device(asked: str | None) -> str:
    """Return the device to train on: the one asked for, or the best there is."""
    from zk0_cli.run import check_device
    from zk0_core.options import parse_flags
    from zk0_core.settings import RunValues

    if asked is not None:
        parse_flags(RunValues, {"device": asked})
        check_device(asked)
        return asked
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _run_here(folder: NodeFolder, options: Any) -> None:
    from loguru import logger

    from zk0_core.engines.quiet import quiet_flower

    quiet_flower()
    from zk0_core.federation.node import run_node
    from zk0_core.federation.signals import LOG_FORMAT

    logger.remove()
    logger.add(folder.logs / "node.log", format=LOG_FORMAT)
    logger.configure(extra={"client": "node"})

    def tell(line: str) -> None:
        logger.info("{}", line)
        click.echo(line, err=True)

    # Whatever ends a node that nobody watches is in its log.
    with logger.catch(reraise=True):
        run_node(folder, options, tell)


def _run_in_background(folder: NodeFolder, arguments: list[str]) -> None:
    """Start this command again, in the foreground of nobody; return when it is connected.

    Raises:
        UsageError, Zk0Error: with what it said, if it ends.
    """
    folder.logs.mkdir(parents=True, exist_ok=True)
    said = folder.logs / "start.log"
    without = _without_join(arguments)
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "zk0_cli", *without, "--foreground"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    shown, deadline = 0, time.monotonic() + FIRST_SECONDS
    while True:
        ended = process.poll() is not None
        lines = said.read_text(errors="replace").splitlines()
        for line in lines[shown:]:
            click.echo(line, err=True)
        shown = len(lines)
        if ended:
            sys.exit(process.returncode)
        if any(" is ready for " in line for line in lines) or time.monotonic() > deadline:
            click.echo(f"process {process.pid} goes on; zk0 client status shows what it does")
            return
        time.sleep(0.2)


def _without_join(arguments: list[str]) -> list[str]:
    """Return `arguments` without the invitation, which is used up, and the name with it."""
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in ("--join", "--node"):
            skip = True
        elif not argument.startswith(("--join=", "--node=")):
            kept.append(argument)
    return kept
