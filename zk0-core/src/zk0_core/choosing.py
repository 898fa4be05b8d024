"""From the names of plugins to the plugins, each with all of its options."""

from collections.abc import Sequence

from zk0_core.errors import PluginError, UsageError
from zk0_core.options import did_you_mean, options_to_dict, structure_options
from zk0_core.plan import PluginChoice
from zk0_core.registry import Registry
from zk0_core.settings import Choice


def choose(registry: Registry, kind: str, choice: Choice, path: str = "") -> PluginChoice:
    """Return the plugin that `choice` names, with all of its options.

    Args:
        registry: Where it is looked up.
        kind: Key of `plugins.KINDS`.
        choice: What was asked for.
        path: What option errors call it; by default the kind.

    Raises:
        PluginError: if it is not usable, or an option is wrong.
    """
    try:
        plugin = registry.find(kind, choice.name)
    except PluginError as error:
        source = f" (from {choice.origin})" if choice.origin else ""
        raise PluginError(f"{error}{source}") from error.__cause__
    assert plugin.record is not None
    options: object = structure_options(
        plugin.record.options, choice.options, path=path or kind, origins=choice.origins
    )
    return PluginChoice(
        kind=kind,
        name=plugin.name,
        options=options_to_dict(options),
        distribution=plugin.distribution,
        version=plugin.version,
        client_api=getattr(plugin.record, "client_api", 1),
    )


def choose_all(
    registry: Registry, kind: str, choices: Sequence[Choice]
) -> tuple[PluginChoice, ...]:
    """Return the plugins that `choices` name; option errors name the plugin if there are several.

    Raises:
        PluginError: see `choose`; also if one is named twice.
    """
    names = [choice.name for choice in choices]
    for choice in choices:
        if names.count(choice.name) > 1:
            raise PluginError(
                f"{kind} '{choice.name}' is chosen twice; keep one (from {choice.origin})"
            )
    return tuple(
        choose(registry, kind, choice, f"{kind}.{choice.name}" if len(choices) > 1 else kind)
        for choice in choices
    )


def check_disabled(disabled: Sequence[str], registry: Registry) -> None:
    """Raise UsageError if `disabled` names what isn't there: probably a slip of the pen."""
    known = {name for p in registry.plugins for name in (p.entry_point, p.distribution)}
    for name in disabled:
        if name not in known:
            raise UsageError(
                f"plugins.disabled names '{name}', which is not installed; choose from "
                f"{', '.join(sorted(known))}{did_you_mean(name, known)}"
            )
