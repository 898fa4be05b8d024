"""`zk0 run`: one federated run."""

import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from zk0_cli.budget import dry_budget
from zk0_cli.curves import check_plot_path, echo_picture, planned_curves, plot_curves
from zk0_cli.output import check_unused
from zk0_cli.plugin_flags import PluginFlagsCommand, with_plugin_flags, write_plugin_help
from zk0_cli.progress import EchoProgress
from zk0_cli.run_settings import RunFlags, run_settings
from zk0_cli.submission import check_no_nodes, submission_options, submit
from zk0_cli.table import echo_json
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.options import describe
from zk0_core.plan import RunPlan
from zk0_core.preset import DEFAULT_PRESET, preset_names
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.run_names import run_names
from zk0_core.run_values import RunValues
from zk0_core.runfile import plan_to_json, plan_to_toml

if TYPE_CHECKING:
    from zk0_core.run import RunResult

_VALUES = [field.name for field in attrs.fields(RunValues)]


def value_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` a flag for each plain value of a run."""
    for option in reversed(describe(RunValues)):
        flag = f"--{option.name.replace('_', '-')}"
        facts = [] if option.default == "none" else [f"default: {option.default}"]
        facts += [option.range] if option.range else []
        if option.type == "true or false":
            off = f"--no-{flag.removeprefix('--')}"
            command = click.option(f"{flag}/{off}", default=None, help=option.help)(command)
            continue
        metavar = option.type.removesuffix(" or none").upper()
        text = f"{option.help}  [{'; '.join(facts)}]"
        command = click.option(flag, metavar=metavar, help=text)(command)
    return command


@click.command(
    cls=PluginFlagsCommand,
    add_help_option=False,
    short_help="One federated run; the embedded default without arguments.",
    epilog="Example: zk0 run --rounds 5 --strategy fedprox --strategy.mu 0.05 --output outputs/try",
)
@click.argument("run_file", metavar="[RUNFILE]", required=False, type=click.Path(path_type=Path))
@click.option("--strategy", metavar="NAME", help="How updates are combined.")
@click.option(
    "--scheduler", "schedulers", metavar="NAME", multiple=True, help="Of the learning rate; chains."
)
@click.option(
    "--mu-scheduler",
    "mu_schedulers",
    metavar="NAME",
    multiple=True,
    help="Of the proximal weight; chains.",
)
@click.option("--policy", metavar="NAME", help="What is trained.")
@click.option(
    "--client",
    "clients",
    metavar="URI",
    multiple=True,
    help="A client's dataset, such as local:/data/desk; for each client once. Clients that are "
    "not simulated leave the preset's evaluations out.",
)
@click.option(
    "--eval",
    "evals",
    metavar="URI",
    multiple=True,
    help="A dataset to evaluate on; repeatable. Scored by every --evaluator, or by policy-loss.",
)
@click.option(
    "--evaluator",
    "evaluators",
    metavar="NAME",
    multiple=True,
    help="How to score; repeatable. Without --eval: on the datasets of the run file or preset.",
)
@click.option(
    "--reporter", "reporters", metavar="NAME", multiple=True, help="Who is told; repeatable."
)
@click.option(
    "--push-to",
    metavar="OWNER/NAME",
    help="Publish the final model on the Hub, private; zk0 push does it later.",
)
@click.option(
    "--push-after",
    type=int,
    metavar="WHOLE NUMBER",
    help="With --push-to: every so many rounds too, never before so many are done.",
)
@click.option("--codec", metavar="NAME", help="How tensors are encoded on the wire.")
@value_options
@click.option(
    "--episodes-per-client",
    type=int,
    metavar="WHOLE NUMBER",
    help="Episodes of each simulated client, in place of those in its URI.",
)
@click.option(
    "--preset",
    metavar="NAME",
    help=f"A run file that comes with zk0, below RUNFILE and flags: {', '.join(preset_names())}. "
    f"Without RUNFILE: {DEFAULT_PRESET}.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the run goes; must be empty or missing.  [default: outputs/TIME-STRATEGY]",
)
@submission_options
@click.option("--dry-run", is_flag=True, help="Print the resolved plan and stop.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="With --dry-run: also draw lr and mu of the planned rounds, as zk0 plan preview does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the result as JSON.")
@click.option(
    "--help", "show_help", is_flag=True, help="Show this, with the chosen plugins' options."
)
@click.pass_context
def run(
    ctx: click.Context,
    /,
    output: Path | None,
    dry_run: bool,
    plot: Path | None,
    as_json: bool,
    show_help: bool,
    federation: str | None,
    min_clients: int | None,
    wait: float | None,
    round_timeout: float | None,
    **flags: Any,
) -> None:
    """One federated run, as the flags, the RUNFILE and the preset say, in that order.

    RUNFILE is TOML, or a pyproject.toml with a table [tool.zk0]. Options of plugins are flags
    too: --strategy.mu 0.05, or --scheduler.cosine.eta-min 0 where several have it. Defaults below
    are for what neither RUNFILE nor preset sets; --dry-run shows every value that will be used.
    """
    asked = run_flags(flags)
    if show_help:
        echo_help(ctx, asked)
        return
    if plot is not None and not dry_run:
        raise UsageError(
            f"--plot {plot} goes with --dry-run; add it, or draw with "
            f"zk0 plan preview --plot {plot}"
        )
    if plot is not None:
        check_plot_path(plot)
    if output is not None:
        check_unused(output)
    asked_of_nodes = {
        "min_clients": min_clients,
        "wait": wait,
        "round_seconds": round_timeout,
    }
    if federation is None:
        check_no_nodes(asked_of_nodes)
    plan = resolved(ctx, asked)
    if dry_run:
        if plot is not None:
            # The plan alone goes to stdout.
            curves = planned_curves(plan)
            plot_curves(curves, plot)
            echo_picture(curves, plot, err=True)
        _echo_plan(plan, as_json)
        return
    if federation is None:
        _carry_out(plan, output or _default_output(plan), as_json)
        return
    check_server_device(plan)
    if reason := submit(federation, plan, output, asked_of_nodes, as_json):
        raise Zk0Error(reason)


def run_flags(parameters: dict[str, Any]) -> RunFlags:
    """Return those of a command's `parameters` that choose what is run."""
    values = {name: parameters.pop(name, None) for name in _VALUES}
    given = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in values.items()
        if value is not None
    }
    return RunFlags(values=given, **parameters)


def resolved(ctx: click.Context, asked: RunFlags) -> RunPlan:
    """Return the plan that flags ask for, those of plugins in `ctx.obj` included."""
    settings = run_settings(asked)
    registry = Registry.discover(settings.disabled)
    return resolve_plan(with_plugin_flags(settings, ctx.obj, registry), registry)


def _echo_plan(plan: RunPlan, as_json: bool) -> None:
    """Print the plan, and where an uplink is given the bytes of a round."""
    budget = dry_budget(plan) if plan.uplink_mbps is not None else None
    if as_json and budget:
        echo_json({**json.loads(plan_to_json(plan)), "round_bytes": budget.figures()})
    elif as_json:
        click.echo(plan_to_json(plan))
    else:
        click.echo((f"# {budget}\n" if budget else "") + plan_to_toml(plan), nl=False)


def _carry_out(plan: RunPlan, folder: Path, as_json: bool) -> None:
    plan = on_this_machine(plan)
    from zk0_core import run as core

    # What reporters print is no JSON.
    with quiet_stdout(as_json):
        result = core.run(plan, folder, EchoProgress())
    echo_result(result, as_json)


def quiet_stdout(as_json: bool) -> contextlib.AbstractContextManager[object]:
    """Return a context in which what is printed goes to stderr, where stdout is for JSON."""
    return contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()


def echo_result(result: "RunResult", as_json: bool) -> None:
    """Print how a run ended and where its output is."""
    last = result.history.rounds[-1]
    if as_json:
        echo_json(
            {
                "folder": str(result.folder),
                "rounds": last.round,
                "policy_loss": last.policy_loss,
                "success_rate": last.success_rate,
                "round_bytes": result.budget.figures(),
            }
        )
        return
    click.echo(f"output: {result.folder}")


def on_this_machine(plan: RunPlan) -> RunPlan:
    """Return `plan` with the device that is used; whoever resumes it must have that one too."""
    from zk0_core.engines.devices import chosen_device

    check_device(plan.device)
    return attrs.evolve(plan, device=chosen_device(plan.device))


def check_device(device: str, instead: str = "choose --device cpu") -> None:
    """Raise UsageError, with what to do `instead`, if torch cannot use `device` here."""
    from zk0_core.engines.devices import usable

    if not usable(device):
        raise UsageError(f"device {device} is not usable here; {instead}, or see zk0 doctor")


def check_server_device(plan: RunPlan) -> None:
    """Raise UsageError if the server, which is here and scores the model, has no such device."""
    check_device(plan.device, "choose --device auto or cpu for the server, nodes choose their own")


def _default_output(plan: RunPlan) -> Path:
    """Return a folder under outputs/ that isn't there yet."""
    folders = (Path("outputs", name) for name in run_names(plan))
    return next(folder for folder in folders if not folder.exists())


def echo_help(ctx: click.Context, flags: RunFlags) -> None:
    """Print the help; where the flags are wrong, say so at its end."""
    click.echo(ctx.get_help())
    formatter = ctx.make_formatter()
    try:
        settings = run_settings(flags)
        write_plugin_help(formatter, settings, Registry.discover(settings.disabled))
    except Zk0Error as error:
        click.echo(f"{formatter.getvalue()}\nError: {error}")
        ctx.exit(error.exit_code)
    click.echo(f"\n{formatter.getvalue()}", nl=False)
