"""`zk0 status`, `zk0 logs`, `zk0 stop`: the runs of a federation that is served here."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from zk0_cli.table import echo_json, echo_table
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.folder import DEFAULT_NAME, ServerFolder

if TYPE_CHECKING:
    from zk0_core.federation.records import RunEntry
    from zk0_core.federation.runs import Runs

STOP_SECONDS = 30.0

federation_option = click.option(
    "--federation",
    metavar="NAME",
    default=DEFAULT_NAME,
    show_default=True,
    help="The federation, which is served on this machine.",
)


@click.command(
    "status",
    short_help="The runs of a federation.",
    epilog="Example: zk0 status --federation arms",
)
@federation_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(federation: str, as_json: bool) -> None:
    """The runs of a federation: what goes on, what waits, what has ended."""
    entries = list(runs_of(federation).all())
    if as_json:
        echo_json(run_rows(entries))
    else:
        echo_runs(entries)


@click.command(
    "logs",
    short_help="How a run of a federation goes.",
    epilog="Example: zk0 logs -f",
)
@click.argument("run", metavar="[RUN]", required=False)
@federation_option
@click.option(
    "--of",
    "teller",
    type=click.Choice(["run", "server"]),
    default="run",
    show_default=True,
    help="States and rounds, or the log that the run's server half writes.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the run ends.")
def logs(run: str | None, federation: str, teller: str, follow: bool) -> None:
    """How RUN goes, or the one that goes on; Ctrl-C leaves it going."""
    from zk0_cli import following
    from zk0_cli.background import echo_log

    runs = runs_of(federation)
    entry = chosen(runs, run)
    if teller == "server":
        log = Path(entry.folder) / "logs" / "server.log"
        echo_log(log, follow, until=lambda: runs.find(entry.name).over)
        return
    plan = runs.plan(entry.name)
    if follow:
        entry = following.follow(ServerFolder.of(federation), entry, plan, click.echo)
    else:
        following.tell(entry, plan, click.echo)
    if entry.over:
        click.echo(entry.ending)


@click.command(
    "stop",
    short_help="Stop a run of a federation.",
    epilog="Example: zk0 stop --federation arms",
)
@click.argument("run", metavar="[RUN]", required=False)
@federation_option
def stop(run: str | None, federation: str) -> None:
    """Stop RUN, or the one that goes on; nodes stop training within seconds."""
    import time

    from zk0_core.federation.server import running

    runs = runs_of(federation)
    entry = chosen(runs, run)
    if entry.over:
        raise UsageError(f"run '{entry.name}' has ended: {entry.state}")
    running(ServerFolder.of(federation))
    runs.ask_to_stop(entry.name)
    deadline = time.monotonic() + STOP_SECONDS
    for now in runs.await_end(entry.name, poll=0.2):
        entry = now
        if not entry.over and time.monotonic() > deadline:
            raise Zk0Error(
                f"run {entry.name} has not stopped within {STOP_SECONDS:.0f} s; its server goes on "
                f"trying, zk0 server logs --name {federation} says what keeps it"
            )
    click.echo(f"run {entry.name}: {entry.state}")


def runs_of(federation: str) -> "Runs":
    """Return the runs of a federation that was ever served here."""
    from zk0_core.federation.runs import Runs
    from zk0_core.federation.server import settings_of

    folder = ServerFolder.of(federation)
    settings_of(folder)
    return Runs(folder)


def chosen(runs: "Runs", name: str | None) -> "RunEntry":
    """Return the run `name`, or the one that goes on or came last.

    Raises:
        UsageError: if there is none.
    """
    if name is not None:
        return runs.find(name)
    last = runs.last()
    if last is None:
        raise UsageError("there is no run yet; zk0 run --federation NAME submits one")
    return last


def run_rows(entries: "list[RunEntry]") -> list[dict[str, Any]]:
    """Return what there is to say about each run, for JSON."""
    return [{**attrs.asdict(entry), "round": last_round(entry)} for entry in entries]


def last_round(entry: "RunEntry") -> int | None:
    """Return the last round of a run that is recorded; None before the first."""
    history = Path(entry.folder) / "history.jsonl"
    if not history.is_file():
        return None
    lines = history.read_text(encoding="utf-8").splitlines()
    return len(lines) - 1 if lines else None


def echo_runs(entries: "list[RunEntry]") -> None:
    """Print runs as a table."""
    rows = [
        (
            entry.name,
            entry.state,
            "" if (round := last_round(entry)) is None else str(round),
            entry.submitted[:16],
            entry.reason,
        )
        for entry in entries
    ]
    echo_table(("run", "is", "round", "submitted", "why"), rows)
