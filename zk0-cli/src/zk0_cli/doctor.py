"""`zk0 doctor`: is this machine fit, and if not, what to do."""

import attrs
import click

from zk0_cli.table import echo_json


@click.command(
    short_help="Is this machine fit, and if not, what to do.", epilog="Example: zk0 doctor --json"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Is this machine fit for zk0, and if not, what to do; exit status 1 when something fails."""
    from zk0_cli.checks import all_checks

    results = all_checks()
    if as_json:
        echo_json([attrs.asdict(result) for result in results])
    else:
        width = max(len(result.name) for result in results)
        for result in results:
            mark = "ok  " if result.ok else "FAIL"
            fix = "" if result.ok else f"; {result.fix}"
            click.echo(f"{mark}  {result.name.ljust(width)}  {result.found}{fix}")
    if not all(result.ok for result in results):
        ctx.exit(1)
