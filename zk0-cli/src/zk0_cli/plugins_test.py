"""`zk0 plugins test`: what zk0 asks of each kind of plugin, checked on an installed one."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import attrs
import click

from zk0_cli.output import nothing_logged
from zk0_cli.plugin_flags import PluginFlag, PluginFlagsCommand
from zk0_cli.table import echo_json
from zk0_core.errors import PluginError, UsageError
from zk0_core.options import did_you_mean, parse_flags, structure_options
from zk0_core.plugins import KINDS, Plugin
from zk0_core.registry import Registry

MARKS = {"passed": "ok      ", "failed": "FAILED  ", "excepted": "excepted"}


@click.command(
    "test",
    cls=PluginFlagsCommand,
    short_help="The contract of its kind, checked on a plugin.",
    epilog="Example: zk0 plugins test fedprox --strategy.mu 0.1",
)
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only plugins of this kind.")
@click.option("--dataset", metavar="URI", help="Dataset to try loaders, evaluators or policies on.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def test_plugins(
    ctx: click.Context, name: str, kind: str | None, dataset: str | None, as_json: bool
) -> None:
    """The contract of its kind, checked on an installed plugin; exit status 1 when a check fails.

    NAME is a plugin's, or that of the package that brings several. Options are flags, as in runs:
    --strategy.mu 0.1.
    """
    registry = Registry.discover()
    plugins = [registry.find(p.kind, p.name, p.distribution) for p in _named(registry, name, kind)]
    flags: Sequence[PluginFlag] = ctx.obj
    for flag in flags:
        if not any(flag.kind == plugin.kind for plugin in plugins):
            raise UsageError(f"{flag.flag}: '{name}' brings no {flag.kind}")
    results = [row for plugin in plugins for row in _tested(plugin, flags, dataset, as_json)]
    failed = sum(row["outcome"] == "failed" for row in results)
    excepted = sum(row["outcome"] == "excepted" for row in results)
    if as_json:
        echo_json(results)
    else:
        passed = len(results) - failed - excepted
        click.echo(f"{passed} passed, {failed} failed, {excepted} excepted")
    if failed:
        ctx.exit(1)


def _named(registry: Registry, name: str, kind: str | None) -> list[Plugin]:
    """Return the plugins that `name` stands for, of `kind` if one is given.

    Raises:
        PluginError: if there is none, or one of them could not be loaded.
    """
    found = [
        plugin
        for plugin in registry.plugins
        if name in (plugin.name, plugin.distribution, plugin.entry_point)
        if kind in (None, plugin.kind) or not plugin.kind
    ]
    if not found:
        names = sorted({plugin.name for plugin in registry.plugins if kind in (None, plugin.kind)})
        raise PluginError(
            f"unknown {kind or 'plugin'} '{name}'; choose from {', '.join(names)}"
            f"{did_you_mean(name, names)}"
        )
    for plugin in found:
        if plugin.record is None:
            raise PluginError(
                f"plugin '{plugin.name}' of {plugin.source} is {plugin.status}: {plugin.reason}"
            ) from plugin.error
    return found


def _tested(
    plugin: Plugin, flags: Sequence[PluginFlag], dataset: str | None, as_json: bool
) -> list[dict[str, Any]]:
    """Return what came of each check of `plugin`; show it as it comes, unless as JSON."""
    from zk0_core.testing.runner import contracts_of, run_contract

    changes = _changes(plugin, flags, dataset)
    if not as_json:
        click.echo(f"{plugin.kind} {plugin.name}, from {plugin.source}")
    results = []
    for contract in contracts_of(plugin, **changes):
        checks = run_contract(contract, plugin)
        while True:
            # What plugins print, as reporters do, is shown when a check fails.
            printed = io.StringIO()
            with (
                # The rounds that checks play log their refusals, which are meant to be.
                nothing_logged(),
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
            ):
                result = next(checks, None)
            if result is None:
                break
            output = printed.getvalue() if result.outcome == "failed" else ""
            results.append({**attrs.asdict(result), "output": output})
            if not as_json:
                reason = f": {result.reason}" if result.reason else ""
                click.echo(f"  {MARKS[result.outcome]}  {result.holds}{reason}")
                click.echo(
                    "".join(f"            {line}\n" for line in output.splitlines()), nl=False
                )
    return results


def _changes(plugin: Plugin, flags: Sequence[PluginFlag], dataset: str | None) -> dict[str, Any]:
    """Return the attributes of contracts that the command line sets."""
    assert plugin.record is not None
    texts = {
        flag.option: flag.text
        for flag in flags
        if flag.kind == plugin.kind and flag.plugin in ("", plugin.name)
    }
    changes: dict[str, Any] = {}
    if texts:
        changes["options"] = parse_flags(plugin.record.options, texts)
        # A wrong flag is told once, and not by every check.
        origins = {flag.option: flag.flag for flag in flags}
        structure_options(
            plugin.record.options, changes["options"], path=plugin.kind, origins=origins
        )
    if dataset:
        changes["address" if plugin.kind == "loader" else "dataset"] = dataset
    return changes
