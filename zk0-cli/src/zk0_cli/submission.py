"""`zk0 run --federation`: a run that nodes carry out, followed from here."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zk0_cli.table import echo_json
from zk0_core.errors import UsageError
from zk0_core.federation.folder import ServerFolder

if TYPE_CHECKING:
    from zk0_core.federation.records import RunEntry
    from zk0_core.federation.runs import Runs
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
    """
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import running

    folder = ServerFolder.of(federation)
    running(folder)
    runs = Runs(folder)
    given = {field: value for field, value in asked.items() if value is not None}
    entry = runs.submit(plan, output, **given)
    click.echo(f"run {entry.name} is submitted to '{federation}'", err=True)
    return _follow_to_the_end(federation, runs, entry, plan, as_json)


def submit_again(folder: ServerFolder, entry: "RunEntry", as_json: bool) -> str:
    """Queue a run of a federation that has ended once more, and follow it to its end.

    Returns:
        Why it did not end well; empty if it did.

    Raises:
        UsageError: if the federation's server does not run here, or the run is done or goes on.
    """
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import running

    running(folder)
    runs = Runs(folder)
    entry = runs.queue_again(entry)
    click.echo(f"run {entry.name} is submitted to '{folder.name}' again", err=True)
    return _follow_to_the_end(folder.name, runs, entry, runs.plan(entry.name), as_json)


def _follow_to_the_end(
    federation: str, runs: "Runs", entry: "RunEntry", plan: "RunPlan", as_json: bool
) -> str:
    try:
        entry = follow(runs, entry, plan)
    except KeyboardInterrupt:
        click.echo(
            f"run {entry.name} goes on; zk0 logs -f {entry.name} --federation {federation} "
            f"comes back to it, zk0 stop --federation {federation} stops it",
            err=True,
        )
        raise
    if as_json:
        _echo_json(entry)
    else:
        click.echo(f"output: {entry.folder}")
    return "" if entry.state == "done" else f"run {entry.name} {entry.state}: {entry.reason}"


def follow(runs: Any, entry: "RunEntry", plan: "RunPlan") -> "RunEntry":
    """Tell of each round as it is recorded; return the entry of the run when it has ended."""
    from zk0_core.builtin.reporter_console import ConsoleReporter
    from zk0_core.history import History, from_line

    reporter = ConsoleReporter()
    reporter.begin(plan.rounds)
    told, told_reason = 0, ""
    history = History()
    path = Path(entry.folder) / "history.jsonl"
    for now in runs.await_end(entry.name):
        entry = now
        if now.reason and now.reason != told_reason and not now.over:
            click.echo(f"waiting: {now.reason}", err=True)
        told_reason = now.reason
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        # What follows the last newline is still being written.
        lines = text[: text.rfind("\n") + 1].splitlines()
        # A run that was taken up again is back at its last checkpoint.
        told = min(told, len(lines))
        history = History(tuple(map(from_line, lines)))
        for number in range(told, len(lines)):
            reporter.round(history.rounds[number], History(history.rounds[: number + 1]))
        told = len(lines)
    sys.stderr.flush()
    reporter.finish(history)
    return entry


def _echo_json(entry: "RunEntry") -> None:
    import attrs

    from zk0_cli.federations import last_round

    echo_json({**attrs.asdict(entry), "rounds": last_round(entry)})
