"""The entry point of `zk0`: subcommands are imported when they are used, errors are one line."""

import os
import sys
from collections.abc import Sequence

import click

from zk0_cli.lazy import LazyGroup

COMMANDS = {
    "run": ("zk0_cli.run:run", "One federated run; the embedded default without arguments."),
    "resume": ("zk0_cli.resume:resume", "Go on with a run that was stopped or crashed."),
    "plan": ("zk0_cli.plan:plan", "What is planned, before anything runs."),
    "compare": (
        "zk0_cli.compare:compare",
        "Federated, centralized and each client alone, side by side.",
    ),
    "eval": ("zk0_cli.evaluate:evaluate", "Score a saved model."),
    "report": ("zk0_cli.report:report", "A run's page: figures, curves, videos, settings."),
    "dashboard": ("zk0_cli.dashboard:dashboard", "The page of runs, live."),
    "push": ("zk0_cli.push:push", "Publish a run's model on the Hub."),
    "data": ("zk0_cli.data:data", "Datasets, before anyone trains on them."),
    "import": (
        "zk0_cli.import_project:import_project",
        "A run file from the settings of an older zk0 project.",
    ),
    "server": (
        "zk0_cli.server:server",
        "The server of a federation, its nodes and invitations.",
    ),
    "client": ("zk0_cli.client:client", "A node of a federation."),
    "status": ("zk0_cli.federations:status", "The runs of a federation."),
    "logs": ("zk0_cli.federations:logs", "How a run of a federation goes."),
    "stop": ("zk0_cli.federations:stop", "Stop a run of a federation."),
    "plugins": ("zk0_cli.plugins:plugins", "What is installed, and with which options."),
    "sim": ("zk0_cli.sim:sim", "The embedded simulator's base and demonstrations."),
    "doctor": ("zk0_cli.doctor:doctor", "Is this machine fit, and if not, what to do."),
}

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"max_content_width": 100},
    epilog="Example: zk0 run --rounds 5 --strategy fedprox --strategy.mu 0.05",
)
@click.version_option(package_name="zk0-cli", prog_name="zk0", message="%(prog)s %(version)s")
@click.option(
    "--debug", is_flag=True, expose_value=False, help="Show tracebacks; goes anywhere in the line."
)
def zk0() -> None:
    """Federated learning of robot policies: arms learn together, recordings stay at home."""
    from zk0_core.engines.quiet import quiet_flower

    # Here, because no command's module imports Flower before it is called.
    quiet_flower()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the work failed, 2 the command was wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [argument for argument in given if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = zk0.main(given, prog_name="zk0", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough; keep Python from failing once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        sys.exit(_report(error))
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def _report(error: Exception) -> int:
    """Print `error` as one line; return the exit status that it stands for."""
    from zk0_core.errors import Zk0Error
    from zk0_core.plugin_errors import described

    if isinstance(error, click.exceptions.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    if isinstance(error, click.ClickException):
        text, status = error.format_message(), error.exit_code
        context = getattr(error, "ctx", None)
        if context is not None:
            text = f"{text.rstrip('.')}; see {context.command_path} --help"
    elif isinstance(error, Zk0Error):
        text, status = str(error), error.exit_code
    else:
        text, status = f"{described(error)} (--debug shows where)", 1
    click.echo(f"Error: {' '.join(text.split())}", err=True)
    return status
