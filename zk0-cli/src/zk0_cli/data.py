"""`zk0 data`: datasets before anyone trains on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from zk0_cli.lazy import LazyGroup
from zk0_cli.progress import EchoProgress
from zk0_cli.table import echo_json, echo_table
from zk0_core.errors import UsageError

if TYPE_CHECKING:
    from zk0_core.datacheck.check import CheckedDataset, CheckReport
    from zk0_core.datacheck.findings import Finding

COMMANDS = {
    "check": ("zk0_cli.data:check", "What is wrong with datasets, and what differs across them."),
    "convert": ("zk0_cli.data:convert", "Rewrite a dataset of format v2.1 as v3.0."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="Datasets, before anyone trains on them.",
    epilog="Example: zk0 data check local:/data/desk",
)
def data() -> None:
    """Datasets, before anyone trains on them."""


@click.command(
    "check",
    short_help="What is wrong with datasets, and what differs across them.",
    epilog="Example: zk0 data check local:/data/left-desk local:/data/right-desk",
)
@click.argument("uris", metavar="URI...", nargs=-1, required=True)
@click.option(
    "--quick",
    is_flag=True,
    help="Count pictures rather than decode videos, as every run does at its start.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, uris: tuple[str, ...], quick: bool, as_json: bool) -> None:
    """Say what is wrong with each dataset, and what keeps them from being trained on together.

    Every finding says which episodes are hit, and what to do. Exit status 1 when there is an
    error; warnings alone are 0. Quote addresses: ? and & mean something to a shell.
    """
    from zk0_core.datacheck.check import check_datasets

    report = check_datasets(uris, decode=not quick, progress=EchoProgress())
    if as_json:
        echo_json(_as_json(report))
    else:
        _echo(report)
    if not report.ok:
        ctx.exit(1)


@click.command(
    "convert",
    short_help="Rewrite a dataset of format v2.1 as v3.0.",
    epilog="Example: zk0 data convert /data/old-desk --output /data/desk",
)
@click.argument("path")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the result goes; must be missing.  [default: PATH, which becomes PATH-v2.1]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def convert(path: str, output: Path | None, as_json: bool) -> None:
    """Rewrite the dataset at PATH, of LeRobot's format v2.1, as v3.0; the original is kept.

    PATH is a folder, or a dataset of the Hub such as hf:owner/name, which needs --output.
    """
    if path.startswith("hf:") and output is None:
        raise UsageError(f"{path} stays in the Hub's cache as it is; say where with --output DIR")
    from zk0_core.lerobot import convert as conversion

    folder = _folder(path)
    click.echo(f"converting {path}", err=True)
    done = conversion.convert(folder, output)
    if as_json:
        echo_json({k: str(v) if isinstance(v, Path) else v for k, v in attrs.asdict(done).items()})
        return
    click.echo(f"{done.episodes} episodes, {done.frames} frames: {done.folder}")
    click.echo(f"the original is at {done.original}")
    click.echo(f"check it with: zk0 data check local:{done.folder}")


def _folder(path: str) -> Path:
    if not path.startswith("hf:"):
        return Path(path.removeprefix("local:")).expanduser()
    from zk0_core.addresses import Address
    from zk0_core.lerobot.hub import downloaded

    return downloaded(Address.parse(path, ()))


def _echo(report: "CheckReport") -> None:
    if report.datasets:
        echo_table(
            ("dataset", "episodes", "frames", "fps", "robot", "cameras", "joints"),
            [_row(dataset) for dataset in report.datasets],
        )
        click.echo()
    if report.findings:
        echo_table(
            ("", "dataset", "episodes", "what"),
            [_finding_row(finding) for finding in report.findings],
        )
        click.echo()
    click.echo(_verdict(report.findings))


def _row(dataset: "CheckedDataset") -> tuple[str, ...]:
    schema = dataset.schema
    cameras = ", ".join(
        f"{name.rpartition('.')[2]} {height}x{width}"
        for name, (height, width, _) in schema.cameras.items()
    )
    held_out = f" ({dataset.held_out} held out)" if dataset.held_out else ""
    return (
        dataset.uri,
        f"{dataset.episodes}{held_out}",
        f"{dataset.frames:,}",
        str(schema.fps),
        schema.robot,
        cameras or "none",
        f"{len(schema.state)}, {len(schema.action)} in action",
    )


def _finding_row(finding: "Finding") -> tuple[str, ...]:
    from zk0_core.datacheck.findings import numbers

    level = "error" if finding.error else "warning"
    text = f"{finding.problem}; {finding.fix}"
    return level, finding.dataset, numbers(finding.episodes) or "all", text


def _verdict(findings: "Sequence[Finding]") -> str:
    errors = sum(finding.error for finding in findings)
    warnings = len(findings) - errors
    if not findings:
        return "ok: nothing found"
    counts = [(errors, "error"), (warnings, "warning")]
    said = ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n)
    return f"{said}: not fit to train on" if errors else f"ok, {said}"


def _as_json(report: "CheckReport") -> dict[str, Any]:
    return {
        "ok": report.ok,
        "datasets": [attrs.asdict(dataset) for dataset in report.datasets],
        "findings": [attrs.asdict(finding) for finding in report.findings],
        "renames": report.renames,
    }
