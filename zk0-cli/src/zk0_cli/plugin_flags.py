"""Flags for plugins' own options: `--strategy.mu 0.05`, `--scheduler.warm-restarts.t-0 10`.

They are taken out of the command line before click sees it, since which there are depends on what
is installed and chosen.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import click

from zk0_core.errors import UsageError
from zk0_core.options import describe, did_you_mean, parse_flags
from zk0_core.registry import Registry
from zk0_core.settings import Choice, Settings

FIELDS = {
    "strategy": "strategy",
    "scheduler": "schedulers",
    "mu-scheduler": "mu_schedulers",
    "policy": "policy",
    "evaluator": "evaluations",
    "reporter": "reporters",
    "codec": "codec",
}
"""Kinds whose options can be flags, and the field of Settings that chooses them."""

_FLAG = re.compile(rf"--({'|'.join(FIELDS)})\.([^=]+)(?:=(.*))?", re.DOTALL)


@attrs.frozen
class PluginFlag:
    """One flag for a plugin's option."""

    flag: str
    """As written, such as "--strategy.mu"."""
    kind: str
    plugin: str
    """The plugin that it names; empty when it names only the kind."""
    option: str
    """The option's name as a field, such as "t_0"."""
    text: str


def take_plugin_flags(arguments: Sequence[str]) -> tuple[list[PluginFlag], list[str]]:
    """Return the flags for plugins' options among `arguments`, and all other arguments.

    Raises:
        UsageError: if one has no value or names no option.
    """
    flags, others = [], []
    rest = iter(arguments)
    for argument in rest:
        match = _FLAG.fullmatch(argument)
        if not match:
            others.append(argument)
            continue
        kind, path, text = match.groups()
        flag = argument.partition("=")[0]
        plugin, _, option = path.rpartition(".")
        if not option or "." in plugin:
            raise UsageError(
                f"{flag} names no option; write --{kind}.OPTION or --{kind}.NAME.OPTION"
            )
        if text is None:
            text = next(rest, None)
        elif not text:
            text = None
        # What begins with two hyphens is the next flag: `--strategy.mu --dry-run` lacks a value.
        if text is None or text.startswith("--"):
            raise UsageError(f"{flag} needs a value; write {flag} VALUE")
        flags.append(PluginFlag(flag, kind, plugin, option.replace("-", "_"), text))
    return flags, others


class PluginFlagsCommand(click.Command):
    """A command that takes plugins' options as flags; it finds them in `ctx.obj`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the flags of plugins aside, and parse the others."""
        ctx.obj, others = take_plugin_flags(args)
        return super().parse_args(ctx, others)


def chosen(settings: Settings, kind: str) -> list[Choice]:
    """Return the plugins of `kind` that `settings` choose, each name once."""
    value = getattr(settings, FIELDS[kind])
    if value is None:
        return []
    if isinstance(value, Choice):
        return [value]
    choices = [entry.evaluator for entry in value] if kind == "evaluator" else value
    return list({choice.name: choice for choice in reversed(choices)}.values())[::-1]


def with_plugin_flags(
    settings: Settings, flags: Sequence[PluginFlag], registry: Registry
) -> Settings:
    """Return `settings` with the options that `flags` set.

    Raises:
        UsageError: if a flag is for a plugin that isn't chosen, or for several that are.
    """
    for flag in flags:
        name = _target(flag, [choice.name for choice in chosen(settings, flag.kind)], registry)
        settings = _changed(settings, flag, name, registry)
    return settings


def write_plugin_help(
    formatter: click.HelpFormatter, settings: Settings, registry: Registry
) -> None:
    """Write the options of the plugins that `settings` choose, as flags."""
    for kind in FIELDS:
        choices = chosen(settings, kind)
        for choice in choices:
            options = describe(registry.get(kind, choice.name).options)
            if not options:
                continue
            stem = f"--{kind}" if len(choices) == 1 else f"--{kind}.{choice.name}"
            with formatter.section(f"Options of {kind} {choice.name}"):
                formatter.write_dl(
                    [
                        (
                            f"{stem}.{option.name.replace('_', '-')} {option.type.upper()}",
                            f"{option.help}  [{_facts(option.default, option.range)}]",
                        )
                        for option in options
                    ]
                )


def _facts(default: str, range: str) -> str:
    text = default if default == "required" else f"default: {default}"
    return f"{text}; {range}" if range else text


def _target(flag: PluginFlag, names: Sequence[str], registry: Registry) -> str:
    """Return which of the chosen plugins `names` the flag is for."""
    if not names:
        raise UsageError(f"{flag.flag}: no {flag.kind} is chosen; add --{flag.kind} NAME")
    if flag.plugin:
        if flag.plugin not in names:
            raise UsageError(
                f"{flag.flag}: {flag.kind} '{flag.plugin}' is not chosen; "
                f"chosen: {', '.join(names)}"
            )
        return flag.plugin
    if len(names) == 1:
        return names[0]
    options = {name: _options(flag.kind, name, registry) for name in names}
    having = [name for name in names if flag.option in options[name]]
    option = flag.option.replace("_", "-")
    if not having:
        known = {known.replace("_", "-") for each in options.values() for known in each}
        raise UsageError(
            f"{flag.flag}: none of {', '.join(names)} has it; zk0 plugins show {flag.kind} NAME "
            f"lists what each has{did_you_mean(option, sorted(known), f'--{flag.kind}.')}"
        )
    if len(having) > 1:
        ways = " or ".join(f"--{flag.kind}.{name}.{option}" for name in having)
        raise UsageError(f"{flag.flag}: several have it; write {ways}")
    return having[0]


def _options(kind: str, name: str, registry: Registry) -> list[str]:
    """Return the names of a plugin's options; none for one that is unknown, which is told later."""
    if name not in registry.names(kind):
        return []
    return [option.name for option in describe(registry.get(kind, name).options)]


def _changed(settings: Settings, flag: PluginFlag, name: str, registry: Registry) -> Settings:
    """Return `settings` with one option set wherever the plugin `name` is chosen."""
    value: object = flag.text
    if name in registry.names(flag.kind):
        options_class = registry.get(flag.kind, name).options
        value = parse_flags(options_class, {flag.option: flag.text})[flag.option]

    def change(choice: Choice) -> Choice:
        if choice.name != name:
            return choice
        return attrs.evolve(
            choice,
            options={**choice.options, flag.option: value},
            origins={**choice.origins, flag.option: flag.flag},
        )

    field = FIELDS[flag.kind]
    changes: dict[str, Any] = {field: _mapped(getattr(settings, field), change)}
    return attrs.evolve(settings, **changes)


def _mapped(value: object, change: Callable[[Choice], Choice]) -> object:
    """Return a field of Settings with every choice in it changed."""
    if isinstance(value, Choice):
        return change(value)
    assert isinstance(value, tuple)
    return tuple(
        change(entry)
        if isinstance(entry, Choice)
        else attrs.evolve(entry, evaluator=change(entry.evaluator))
        for entry in value
    )
