"""The process of a node: this one, or one in the background."""

import subprocess
import sys
import time

import click

from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.node_options import NodeOptions

FIRST_SECONDS = 900.0
"""What a node gets to connect and to open its dataset before the command leaves it to itself."""


def run_here(folder: NodeFolder, options: NodeOptions) -> None:
    """Be the node, until it leaves."""
    from loguru import logger

    from zk0_core.federation.node import run_node
    from zk0_core.federation.signals import LOG_FORMAT
    from zk0_core.logs import add_log

    logger.remove()
    add_log(folder.logs / "node.log", format=LOG_FORMAT)
    logger.configure(extra={"client": "node"})

    def tell(line: str) -> None:
        logger.info("{}", line)
        click.echo(line, err=True)

    # Whatever ends a node that nobody watches is in its log.
    with logger.catch(reraise=True):
        run_node(folder, options, tell)


def run_in_background(folder: NodeFolder, arguments: list[str]) -> None:
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
    """Return `arguments` without the invitation, which is used up, and what goes with it."""
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in ("--join", "--node"):
            skip = True
        elif argument != "--insecure" and not argument.startswith(("--join=", "--node=")):
            kept.append(argument)
    return kept
