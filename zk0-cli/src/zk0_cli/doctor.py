"""`zk0 doctor`: is this machine fit, and if not, what to do."""

import attrs
import click

from zk0_cli.table import echo_json


@click.command(
    short_help="Is this machine fit, and if not, what to do.",
    epilog="Example: zk0 doctor local:/data/desk",
)
@click.argument("uris", metavar="[URI...]", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, uris: tuple[str, ...], as_json: bool) -> None:
    """Is this machine fit for zk0, and if not, what to do; exit status 1 when something fails.

    Looks at the datasets at URI too, and where this machine has a node at its server: whether it is
    reached, knows the node, and has the same time; where it has a server, whether its certificate
    holds for another month.
    """
    from zk0_cli.checks import all_checks
    from zk0_cli.checks_node import check_certificates, check_datasets, check_servers

    results = [*all_checks(), *check_datasets(uris), *check_servers(), *check_certificates()]
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
