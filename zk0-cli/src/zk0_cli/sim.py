"""`zk0 sim`: the embedded simulator's base and demonstrations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click

from zk0_cli.lazy import LazyGroup
from zk0_cli.output import check_unused
from zk0_cli.progress import EchoProgress
from zk0_cli.table import echo_figures, echo_json, echo_table

COMMANDS = {
    "make-base": ("zk0_cli.sim:make_base", "Train the frozen base of smolvla-tiny anew."),
    "record": ("zk0_cli.sim:record", "Record demonstrations of the scripted expert."),
}


def whole_number(flag: str, least: int, *, default: int, help: str) -> Callable[[Any], Any]:
    """Return the decorator that adds `flag`, a whole number from `least`."""
    return click.option(
        flag,
        type=click.IntRange(least),
        metavar="N",
        default=default,
        show_default=True,
        help=help,
    )


workers_option = whole_number("--workers", 1, default=2, help="Processes.")


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="The embedded simulator's base and demonstrations.",
    epilog="Example: zk0 sim record 'sim:lift?region=left&episodes=50'",
)
def sim() -> None:
    """The embedded simulator's base and demonstrations."""


@click.command(
    "make-base",
    short_help="Train the frozen base of smolvla-tiny anew.",
    epilog="Example: zk0 sim make-base --output base --scenes 2000 --steps 300",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Where the base goes; must be empty or missing.",
)
@whole_number("--scenes", 100, default=6_000, help="Random scenes.")
@whole_number("--steps", 1, default=1_000, help="Training steps.")
@whole_number("--seed", 0, default=0, help="Another one gives other scenes and weights.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    default=("lift",),
    show_default=True,
    metavar="NAME",
    help="Whose scenes it sees, repeatable: others than lift's have a bin and a line, sort's two "
    "cubes.",
)
@click.option(
    "--colour", metavar="NAME", help="Of the cube, or any.  [default: the task's usual one]"
)
@click.option(
    "--start",
    metavar="BASE",
    help="A base to go on from, such as lift, which comes with zk0, or a folder.  [default: none]",
)
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def make_base(
    output: Path,
    scenes: int,
    steps: int,
    seed: int,
    tasks: tuple[str, ...],
    colour: str | None,
    start: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Train the frozen base of smolvla-tiny anew, from random scenes of the simulator."""
    check_unused(output)
    from zk0_core.lerobot.tiny_vlm import absolute_base
    from zk0_core.sim import base

    report = base.make_base(
        output,
        tasks=tasks,
        colour=colour,
        start=absolute_base(start) if start else None,
        scenes=scenes,
        steps=steps,
        seed=seed,
        workers=workers,
        progress=EchoProgress(),
    )
    fields = attrs.asdict(report)
    if as_json:
        echo_json(fields)
        return
    echo_figures(fields)


@click.command(
    short_help="Record demonstrations of the scripted expert.",
    epilog="Example: zk0 sim record 'sim:lift?region=left&episodes=50'",
)
@click.argument("uris", metavar="URI...", nargs=-1, required=True)
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def record(uris: tuple[str, ...], workers: int, as_json: bool) -> None:
    """Record demonstrations of the scripted expert, unless they are in the cache; say where.

    URI is such as sim:lift?region=left&episodes=50. Quote it: & means something to a shell.
    """
    from zk0_core.sim.spec import SimSpec

    specs = [SimSpec.parse(uri) for uri in uris]
    from zk0_core.sim.record import recorded

    folders = recorded(specs, workers, EchoProgress())
    rows = [(uri, str(folder)) for uri, folder in zip(uris, folders, strict=True)]
    if as_json:
        echo_json([{"dataset": uri, "folder": folder} for uri, folder in rows])
        return
    echo_table(("dataset", "folder"), rows)
