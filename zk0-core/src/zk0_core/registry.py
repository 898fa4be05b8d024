"""What is installed: plugins are discovered by entry point, each one guarded, with its status."""

import importlib.metadata
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from types import ModuleType
from typing import Any

import attrs
import pluggy

from zk0_core import records
from zk0_core.errors import PluginError
from zk0_core.hookspecs import PROJECT, Zk0Specs
from zk0_core.options import did_you_mean
from zk0_core.records import PluginRecord

GROUP = "zk0"
"""The entry-point group."""

ALLOW_LIST = "ZK0_LOAD_PLUGINS"
"""Environment variable: only the plugins it lists, commas between, are loaded when it is set."""


@attrs.frozen
class Kind:
    """One kind of plugin."""

    hook: str
    record: type[Any]


KINDS = {
    "strategy": Kind("zk0_strategies", records.StrategyPlugin),
    "scheduler": Kind("zk0_lr_schedulers", records.LrSchedulerPlugin),
    "mu-scheduler": Kind("zk0_mu_schedulers", records.MuSchedulerPlugin),
    "loader": Kind("zk0_dataset_loaders", records.DatasetLoaderPlugin),
    "evaluator": Kind("zk0_evaluators", records.EvaluatorPlugin),
    "policy": Kind("zk0_policies", records.PolicyPlugin),
    "reporter": Kind("zk0_reporters", records.ReporterPlugin),
    "codec": Kind("zk0_codecs", records.CodecPlugin),
}
"""The kinds of plugins, by the word that commands, plans and errors use."""


@attrs.frozen(kw_only=True)
class Plugin:
    """One plugin as found: usable when `status` is "ok"."""

    kind: str
    """Key of KINDS; empty where a whole module could not be loaded."""
    name: str
    """Its name; where that is not known, the entry point's."""
    status: str
    """ok, broken, conflict, unsupported or disabled."""
    distribution: str
    version: str
    entry_point: str
    reason: str = ""
    """Why it is not ok, on one line."""
    record: PluginRecord | None = None
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def source(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}"

    @property
    def summary(self) -> str:
        """One sentence about it."""
        return self.record.summary if self.record else ""


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
        found = sorted(entry_points, key=lambda entry: (_source(entry), entry.name))
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
                f"{kind} '{name}' is in conflict: both {sources} bring one; uninstall one, "
                "or put it into [plugins] disabled of the run file"
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

    def plugin(kind: str = "", name: str = entry.name, **fields: Any) -> Plugin:
        return Plugin(
            kind=kind,
            name=name,
            distribution=distribution,
            version=version,
            entry_point=entry.name,
            **fields,
        )

    if by := _disabled_by({entry.name, distribution}, disabled):
        yield plugin(status="disabled", reason=by)
        return
    # A plugin may fail in any way, by leaving the interpreter too: that is recorded, not fatal.
    try:
        module = entry.load()
    except (Exception, SystemExit) as error:
        yield plugin(status="broken", reason=_one_line(error), error=error)
        return
    if (api := getattr(module, "ZK0_API", None)) != records.ZK0_API:
        stated = "no ZK0_API" if api is None else f"ZK0_API {api}"
        reason = f"it states {stated}, this zk0 has {records.ZK0_API}; install a matching version"
        yield plugin(status="unsupported", reason=reason)
        return
    try:
        hooks = _register(module)
    except pluggy.PluginValidationError as error:
        yield plugin(status="broken", reason=_one_line(error), error=error)
        return
    for kind, function in hooks:
        try:
            for record in function():
                _check_record(record, kind)
                yield plugin(kind, record.name, status="ok", record=record)
        except (Exception, SystemExit) as error:
            yield plugin(kind, status="broken", reason=_one_line(error), error=error)


def _register(module: ModuleType) -> list[tuple[str, Any]]:
    """Return the kinds and hook functions of `module`, checked against the specifications.

    Each module gets a manager of its own and its hooks are called one by one: with one call over
    all of them, a plugin that raises would lose everybody's results.

    Raises:
        PluginValidationError: if a hook is unknown or takes other arguments.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Zk0Specs)
    manager.register(module)
    manager.check_pending()
    return [
        (kind, implementation.function)
        for kind, spec in KINDS.items()
        for implementation in getattr(manager.hook, spec.hook).get_hookimpls()
    ]


def _check_record(record: Any, kind: str) -> None:
    """Raise ValueError unless `record` is one of its kind, with a proper name and options."""
    wanted = KINDS[kind].record
    if not isinstance(record, wanted):
        raise ValueError(f"{KINDS[kind].hook} yielded {record!r}, not a {wanted.__name__}")
    parts = record.name.split("-")
    if not all(part.isascii() and part.isalnum() and part == part.lower() for part in parts):
        raise ValueError(f"the name {record.name!r} is not lower-case letters, digits and hyphens")
    if not attrs.has(record.options):
        raise ValueError(f"the options of {kind} '{record.name}' are no attrs class")


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
            plugin = attrs.evolve(plugin, status="conflict", reason=f"{also} brings one too")
        result.append(plugin)
    return result


def _source(entry: importlib.metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
