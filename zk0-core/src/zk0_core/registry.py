"""What is installed: plugins are discovered by entry point, each one guarded, with its status."""

import contextlib
import importlib.metadata
import os
import sys
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import attrs

from zk0_core import records
from zk0_core.errors import PluginError
from zk0_core.faults import hooks_of, reason_of, records_of
from zk0_core.options import did_you_mean
from zk0_core.plugins import KINDS, Plugin
from zk0_core.records import PluginRecord

GROUP = "zk0"
"""The entry-point group."""

ALLOW_LIST = "ZK0_LOAD_PLUGINS"
"""Environment variable: only the plugins it lists, commas between, are loaded when it is set."""


class Registry:
    """The plugins that were found."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self.plugins = _with_conflicts(list(plugins))

    @classmethod
    def discover(cls, disabled: Collection[str] = ()) -> "Registry":
        """Find everything that is installed; a plugin that fails becomes an entry with a reason.

        Args:
            disabled: Entry-point or distribution names that are not to be loaded.
        """
        entry_points = importlib.metadata.entry_points(group=GROUP)
        found = sorted(entry_points, key=lambda entry: (source_of(entry), entry.name))
        # What a plugin prints while it is imported is no part of what a command prints as JSON.
        with contextlib.redirect_stdout(sys.stderr):
            return cls(plugin for entry in found for plugin in _load(entry, disabled))

    def names(self, kind: str) -> list[str]:
        """Return the names of the usable plugins of `kind`, sorted."""
        return sorted(p.name for p in self.plugins if p.kind == kind and p.status == "ok")

    def find(self, kind: str, name: str, distribution: str = "") -> Plugin:
        """Return the usable plugin of that kind and name.

        Args:
            kind: Key of KINDS.
            name: Its name.
            distribution: The one that must have brought it; empty for any.

        Raises:
            PluginError: if there is none, or more than one; the text says why and the choices.
        """
        found = [plugin for plugin in self.plugins if (plugin.kind, plugin.name) == (kind, name)]
        if distribution:
            found = [plugin for plugin in found if plugin.distribution == distribution]
        usable = [plugin for plugin in found if plugin.record is not None]
        if len(usable) == 1:
            return usable[0]
        if usable:
            sources = " and ".join(plugin.source for plugin in usable)
            raise PluginError(
                f"{kind} '{name}' is in conflict: both {sources} bring one; uninstall one, put it "
                "into [plugins] disabled of the run file or, where there is none, leave it out of "
                f"{ALLOW_LIST}"
            )
        for plugin in found or [p for p in self.plugins if not p.kind and p.name == name]:
            raise PluginError(
                f"{kind} '{name}' of {plugin.source} is {plugin.status}: {plugin.reason}"
            ) from plugin.error
        raise PluginError(self._unknown(kind, name))

    def get(self, kind: str, name: str, distribution: str = "") -> PluginRecord:
        """Return the record of the usable plugin of that kind and name; see `find`."""
        record = self.find(kind, name, distribution).record
        assert record is not None
        return record

    def _unknown(self, kind: str, name: str) -> str:
        names = self.names(kind)
        text = f"unknown {kind} '{name}'; choose from {', '.join(names) or '(none installed)'}"
        text += did_you_mean(name, names)
        unloaded = [p for p in self.plugins if p.record is None and p.kind in ("", kind)]
        for plugin in unloaded:
            text += (
                f"; plugin '{plugin.entry_point}' of {plugin.source} is {plugin.status}: "
                f"{plugin.reason}"
            )
        return text


def _load(entry: importlib.metadata.EntryPoint, disabled: Collection[str]) -> Iterator[Plugin]:
    """Yield what one entry point brings; when it fails, one plugin that says why."""
    distribution = entry.dist.name if entry.dist else "unknown distribution"
    version = entry.dist.version if entry.dist else ""
    source = f"{distribution} {version}"

    def plugin(kind: str = "", name: str = entry.name, **fields: Any) -> Plugin:
        return Plugin(
            kind=kind,
            name=name,
            distribution=distribution,
            version=version,
            entry_point=entry.name,
            module=entry.module,
            **fields,
        )

    def broken(error: BaseException, kind: str = "") -> Plugin:
        return plugin(kind, status="broken", reason=reason_of(error, source), error=error)

    if by := _disabled_by({entry.name, distribution}, disabled):
        yield plugin(status="disabled", reason=by)
        return
    # A plugin may fail in any way, by leaving the interpreter too: that is recorded, not fatal.
    try:
        module = entry.load()
    except (Exception, SystemExit) as error:
        yield broken(error)
        return
    if (api := getattr(module, "ZK0_API", None)) != records.ZK0_API:
        stated = "no ZK0_API" if api is None else f"ZK0_API {api}"
        reason = (
            f"it states {stated}, this zk0 has {records.ZK0_API}; install a matching version of "
            f"{distribution} or zk0-core"
        )
        yield plugin(status="unsupported", reason=reason)
        return
    try:
        hooks = hooks_of(module)
    except (Exception, SystemExit) as error:
        yield broken(error)
        return
    for kind, spec in KINDS.items():
        if spec.hook not in hooks:
            continue
        try:
            for record in records_of(hooks[spec.hook], kind, spec.hook, spec.record):
                yield plugin(kind, record.name, status="ok", record=record)
        except (Exception, SystemExit) as error:
            yield broken(error, kind)


def _disabled_by(names: set[str], disabled: Collection[str]) -> str:
    """Return who disabled the plugin that goes by `names`; empty for nobody."""
    if names & set(disabled):
        return "[plugins] disabled of the run file names it"
    allowed = {name.strip() for name in os.environ.get(ALLOW_LIST, "").split(",") if name.strip()}
    return f"{ALLOW_LIST} does not name it" if allowed and not names & allowed else ""


def _with_conflicts(plugins: list[Plugin]) -> list[Plugin]:
    """Return the plugins; usable ones that share kind and name become conflicts."""
    sources = defaultdict(list)
    for plugin in plugins:
        if plugin.status == "ok":
            sources[plugin.kind, plugin.name].append(plugin)
    result = []
    for plugin in plugins:
        others = [other for other in sources[plugin.kind, plugin.name] if other is not plugin]
        if plugin.status == "ok" and others:
            also = " and ".join(other.source for other in others)
            reason = f"{also} brings one too; uninstall one"
            plugin = attrs.evolve(plugin, status="conflict", reason=reason)
        result.append(plugin)
    return result


def source_of(entry: importlib.metadata.EntryPoint) -> str:
    """Return the distribution that brings `entry` and its version; empty where that is unknown."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
