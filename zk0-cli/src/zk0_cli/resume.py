"""`zk0 resume`: go on with a run that ended before its time."""

from pathlib import Path

import click

from zk0_cli.progress import EchoProgress
from zk0_cli.run import check_device, echo_result, quiet_stdout
from zk0_cli.submission import submit_again
from zk0_core.errors import UsageError, Zk0Error


@click.command(
    "resume",
    short_help="Go on with a run that was stopped or crashed.",
    epilog="Example: zk0 resume outputs/demo",
)
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def resume(run: Path, as_json: bool) -> None:
    """Go on with the run in folder RUN from its last checkpoint.

    What comes out is the same, to the last bit, as if the run had never ended. A federation's run
    is queued again, and goes on with the nodes that are there.
    """
    if not run.is_dir():
        raise UsageError(f"run {run} is no folder; name one such as outputs/demo")
    from zk0_core.federation.runs import run_that_writes

    if (found := run_that_writes(run)) is not None:
        if reason := submit_again(*found, as_json):
            raise Zk0Error(reason)
        return
    from zk0_core import run as core
    from zk0_core.server.output import RunFolder

    device = RunFolder.reopen(run).read_plan().device
    check_device(device, "zk0 run --device cpu starts a run of its own")
    with quiet_stdout(as_json):
        result = core.resume(run, EchoProgress())
    echo_result(result, as_json)
