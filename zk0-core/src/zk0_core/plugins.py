"""The kinds of plugins, and one plugin as it was found."""

from typing import Any

import attrs

from zk0_core import records
from zk0_core.errors import PluginError, Zk0Error
from zk0_core.faults import reason_of
from zk0_core.records import PluginRecord


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
    module: str = ""
    """The module that the entry point names."""
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

    def build(self, options: Any, half: str = "build") -> Any:
        """Return what a usable plugin builds from its options object.

        Args:
            options: An object of the record's options class.
            half: Which function of the record: build, or a strategy's build_objective.

        Raises:
            Zk0Error: as the plugin raises it, which says in so many words what is wrong.
            PluginError: if it fails in any other way; the text names the plugin and its source.
        """
        failed = f"{self.kind} '{self.name}' of {self.source} cannot be built"
        try:
            made = getattr(self.record, half)(options)
        except Zk0Error:
            raise
        except Exception as error:
            raise PluginError(f"{failed}: {reason_of(error, self.source)}") from error
        if made is None:
            raise PluginError(f"{failed}: {half} returned None; see zk0 plugins test {self.name}")
        return made
