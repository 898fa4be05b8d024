"""`zk0 import`: a run file from the settings of an older zk0 project."""

from pathlib import Path

import attrs
import click

from zk0_cli.table import echo_json, echo_table
from zk0_core.errors import UsageError


@click.command(
    "import",
    short_help="A run file from the settings of an older zk0 project.",
    epilog="Example: zk0 import ../old-project/pyproject.toml --output old.toml",
)
@click.argument("pyproject", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default="run.toml",
    show_default=True,
    help="Where the run file goes; must be missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def import_project(pyproject: Path, output: Path, as_json: bool) -> None:
    """Make a run file from PYPROJECT, the pyproject.toml of an older zk0 project.

    Every setting that could not be carried over is named, with the reason.
    """
    if output.exists():
        raise UsageError(f"run file {output} is there already; choose another with --output")
    from zk0_core.files import write_text
    from zk0_core.older_projects import project
    from zk0_core.registry import Registry

    done = project.import_project(pyproject, Registry.discover())
    write_text(output, done.text)
    if as_json:
        echo_json(
            {
                "run_file": str(output),
                "carried": [attrs.asdict(carried) for carried in done.carried],
                "left": [attrs.asdict(left) for left in done.left],
            }
        )
        return
    echo_table(
        ("there", "value", "here"),
        [(carried.key, _shown(carried.value), carried.place) for carried in done.carried],
    )
    if done.left:
        click.echo()
        echo_table(
            ("not carried over", "value", "why"),
            [(left.key, _shown(left.value), left.reason) for left in done.left],
        )
    click.echo(f"\nrun file: {output}; zk0 run {output} --dry-run shows the plan")


def _shown(value: object) -> str:
    return "..." if isinstance(value, dict | list) else str(value)
