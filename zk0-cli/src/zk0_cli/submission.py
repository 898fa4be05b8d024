"""`zk0 run --federation`: a run that nodes carry out, followed from here."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zk0_cli.table import echo_json
from zk0_core.errors import UsageError
from zk0_core.federation.folder import ServerFolder

if TYPE_CHECKING:
    from zk0_core.federation.records import RunEntry
    from zk0_core.plan import RunPlan

FLAGS = {
    "min_clients": "--min-clients",
    "wait": "--wait",
    "round_seconds": "--round-timeout",
}


def submission_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the flags of a run that nodes carry out."""
    options = (
        click.option(
            "--federation",
            metavar="NAME",
            help="Let the nodes of this federation train, whose server runs here; they take the "
            "place of the clients.",
        ),
        click.option(
            "--min-clients",
            type=click.IntRange(1),
            metavar="N",
            help="With --federation: nodes that the run starts with.  [default: all approved]",
        ),
        click.option(
            "--wait",
            type=click.FloatRange(0),
            metavar="SECONDS",
            help="With --federation: how long to wait for them.  [default: 60]",
        ),
        click.option(
            "--round-timeout",
            type=click.FloatRange(0, min_open=True),
            metavar="SECONDS",
            help="With --federation: after this, a round goes on without who has not answered.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def check_no_nodes(asked: Mapping[str, object]) -> None:
    """Raise UsageError if something was asked for that is for federations only."""
    for field, flag in FLAGS.items():
        if asked[field] is not None:
            raise UsageError(f"{flag} goes with --federation NAME; add it, or leave {flag} out")


def submit(
    federation: str,
    plan: "RunPlan",
    output: Path | None,
    asked: Mapping[str, object],
    as_json: bool,
) -> str:
    """Submit `plan` to a federation and follow it to its end.

    Ctrl-C leaves it going.

    Returns:
        Why it did not end well; empty if it did.

    Raises:
        UsageError: if the federation's server does not run here.
        Zk0Error: if that server ended before the run began, and stayed away.
    """
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import running

    folder = ServerFolder.of(federation)
    running(folder)
    runs = Runs(folder)
    given = {field: value for field, value in asked.items() if value is not None}
    entry = runs.submit(plan, output, **given)
    click.echo(f"run {entry.name} is submitted to '{federation}'", err=True)
    return _follow_to_the_end(folder, entry, plan, as_json)


def submit_again(folder: ServerFolder, entry: "RunEntry", as_json: bool) -> str:
    """Queue a run of a federation that has ended once more, and follow it to its end.

    Returns:
        Why it did not end well; empty if it did.

    Raises:
        UsageError: if the federation's server does not run here, or the run is done or goes on.
        Zk0Error: if that server ended before the run began, and stayed away.
    """
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import running

    running(folder)
    runs = Runs(folder)
    entry = runs.queue_again(entry)
    click.echo(f"run {entry.name} is submitted to '{folder.name}' again", err=True)
    return _follow_to_the_end(folder, entry, runs.plan(entry.name), as_json)


def _follow_to_the_end(
    folder: ServerFolder, entry: "RunEntry", plan: "RunPlan", as_json: bool
) -> str:
    from zk0_cli.following import follow

    try:
        entry = follow(folder, entry, plan, partial(click.echo, err=True), give_up=True)
    except KeyboardInterrupt:
        click.echo(
            f"run {entry.name} goes on; zk0 logs -f {entry.name} --federation {folder.name} "
            f"comes back to it, zk0 stop {entry.name} --federation {folder.name} stops it",
            err=True,
        )
        raise
    if as_json:
        _echo_json(entry)
    else:
        click.echo(f"output: {entry.folder}")
    return "" if entry.state == "done" else entry.ending


def _echo_json(entry: "RunEntry") -> None:
    import attrs

    from zk0_cli.federations import last_round

    echo_json({**attrs.asdict(entry), "rounds": last_round(entry)})
