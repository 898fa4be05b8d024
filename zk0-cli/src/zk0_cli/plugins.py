"""`zk0 plugins`: what is installed, and with which options."""

import importlib.metadata
from typing import Any

import attrs
import click

from zk0_cli.lazy import LazyGroup
from zk0_cli.table import echo_json, echo_table
from zk0_core.errors import UsageError
from zk0_core.options import describe, did_you_mean
from zk0_core.plugins import KINDS, Plugin
from zk0_core.registry import Registry

COMMANDS = {
    "list": ("zk0_cli.plugins:list_plugins", "What is installed, with status."),
    "show": ("zk0_cli.plugins:show", "One plugin's options."),
    "new": ("zk0_cli.plugins_new:new", "A new plugin from the template."),
    "test": (
        "zk0_cli.plugins_test:test_plugins",
        "The contract of its kind, checked on a plugin.",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    short_help="What is installed, and with which options.",
    epilog="Example: zk0 plugins list --kind strategy",
)
def plugins() -> None:
    """What is installed, and with which options."""


@click.command(
    "list",
    short_help="What is installed, with status.",
    epilog="Example: zk0 plugins list --kind strategy --json",
)
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only plugins of this kind.")
@click.option(
    "--all", "show_all", is_flag=True, help="Also those that ZK0_LOAD_PLUGINS leaves out."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(kind: str | None, show_all: bool, as_json: bool) -> None:
    """What is installed, with status and where it comes from.

    A plugin that cannot be used is listed with the reason.
    """
    found = [
        plugin
        for plugin in Registry.discover().plugins
        if kind in (None, plugin.kind) or (not plugin.kind and plugin.status != "disabled")
        if show_all or plugin.status != "disabled"
    ]
    order = list(KINDS)
    found.sort(key=lambda p: (order.index(p.kind) if p.kind else len(order), p.name, p.source))
    if as_json:
        echo_json([_fields(plugin) for plugin in found])
        return
    rows = [
        (p.kind or "?", p.name, p.status, p.source, p.summary if p.status == "ok" else p.reason)
        for p in found
    ]
    echo_table(("kind", "name", "status", "from", "summary"), rows)


@click.command(
    short_help="One plugin's options.", epilog="Example: zk0 plugins show strategy fedprox"
)
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(kind: str, name: str | None, as_json: bool) -> None:
    """One plugin's options, with type, default, range and meaning.

    KIND and NAME are as zk0 plugins list shows them.
    """
    registry = Registry.discover()
    if kind not in KINDS:
        raise UsageError(_no_kind(kind, registry))
    if name is None:
        names = ", ".join(registry.names(kind))
        raise UsageError(f"which {kind}? write zk0 plugins show {kind} NAME; choose from {names}")
    plugin = registry.find(kind, name)
    assert plugin.record is not None
    options = [
        {"flag": _flag(kind, option.name), **attrs.asdict(option)}
        for option in describe(plugin.record.options)
    ]
    link = _documentation(plugin.distribution)
    if as_json:
        echo_json({**_fields(plugin), "documentation": link or None, "options": options})
        return
    click.echo(f"{kind} {name}: {plugin.summary}\nfrom {plugin.source}{link and f', {link}'}\n")
    if not options:
        click.echo("no options")
        return
    columns = ("flag", "type", "default", "range", "help")
    rows = [tuple(option[column] for column in columns) for option in options]
    echo_table(("flag", "type", "default", "range", "meaning"), rows)


def _no_kind(word: str, registry: Registry) -> str:
    """Return what to say of `word`, which stands where a kind should."""
    ways = [f"zk0 plugins show {p.kind} {word}" for p in registry.plugins if p.name == word]
    if ways:
        return f"'{word}' is a plugin's name and no kind; write {' or '.join(ways)}"
    return f"unknown kind '{word}'; choose from {', '.join(KINDS)}{did_you_mean(word, KINDS)}"


def _flag(kind: str, option: str) -> str:
    """Return the flag that sets an option; its name where there are no flags, as for loaders."""
    from zk0_cli.plugin_flags import FIELDS

    return f"--{kind}.{option.replace('_', '-')}" if kind in FIELDS else option


def _documentation(distribution: str) -> str:
    """Return the address of a distribution's documentation, or else of its home; empty for none."""
    pairs = importlib.metadata.metadata(distribution).get_all("Project-URL") or []
    links = {}
    for pair in pairs:
        label, _, link = pair.partition(",")
        links[label.strip().lower()] = link.strip()
    return links.get("documentation") or links.get("homepage") or links.get("repository") or ""


def _fields(plugin: Plugin) -> dict[str, Any]:
    return {
        "kind": plugin.kind or None,
        "name": plugin.name,
        "status": plugin.status,
        "reason": plugin.reason,
        "summary": plugin.summary,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "entry_point": plugin.entry_point,
    }
