"""The parts of a run, built from a plan's plugin choices."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.plugins import Plugin
from zk0_core.protocols import (
    Codec,
    DatasetLoader,
    Evaluator,
    Objective,
    PolicyFamily,
    Reporter,
    Schedule,
    Strategy,
)
from zk0_core.records import CodecPlugin, EvaluatorPlugin, StrategyPlugin
from zk0_core.registry import Registry

# Commands that only show a plan build schedules by this module, and must not wait for NumPy.
if TYPE_CHECKING:
    from zk0_core.data import Progress, RobotDataset

_followed: RunPlan | None = None


def follow(plan: RunPlan | None) -> None:
    """Find plugins as `plan` says, from now on in this process.

    Datasets are opened by the loaders that it chose, and nothing is loaded of what it disables.
    Every process that carries out a part of a run follows its plan; a node's follows none, since
    which plugins there are is for its operator to say, with ZK0_LOAD_PLUGINS.

    Args:
        plan: That of the run; None for whatever is installed.
    """
    global _followed
    disabled = _disabled()
    _followed = plan
    if _disabled() != disabled:
        installed.cache_clear()


@contextmanager
def following(plan: RunPlan) -> Iterator[None]:
    """Follow `plan` inside, and afterwards what was followed before."""
    before = _followed
    follow(plan)
    try:
        yield
    finally:
        follow(before)


@functools.cache
def installed() -> Registry:
    """Return the registry of what is installed, without what the followed plan disables."""
    return Registry.discover(_disabled())


def _disabled() -> tuple[str, ...]:
    return _followed.disabled if _followed else ()


def _found(choice: PluginChoice) -> tuple[Plugin, Any]:
    """Return the plugin that is chosen, and its options object."""
    from zk0_core.options import structure_options

    plugin = installed().find(choice.kind, choice.name, choice.distribution)
    assert plugin.record is not None
    options: object = structure_options(plugin.record.options, choice.options, path=choice.kind)
    return plugin, options


def _build(choice: PluginChoice) -> Any:
    plugin, options = _found(choice)
    return plugin.build(options)


def build_strategy(choice: PluginChoice) -> Strategy:
    """Return the server half of a strategy."""
    return cast(Strategy, _build(choice))


def strategy_record(choice: PluginChoice) -> StrategyPlugin:
    """Return the record of a strategy."""
    return cast(StrategyPlugin, _found(choice)[0].record)


def needed_updates(choice: PluginChoice) -> int:
    """Return the fewest updates that a strategy can do anything with."""
    plugin, options = _found(choice)
    return cast(StrategyPlugin, plugin.record).needed_updates(options)


def build_objective(choice: PluginChoice) -> Objective | None:
    """Return the client half of a strategy; None when it has none."""
    plugin, options = _found(choice)
    half = cast(StrategyPlugin, plugin.record).build_objective
    return cast(Objective, plugin.build(options, "build_objective")) if half else None


def build_schedule(choice: PluginChoice) -> Schedule:
    """Return an lr or mu schedule."""
    return cast(Schedule, _build(choice))


def build_policy_family(choice: PluginChoice) -> PolicyFamily:
    """Return a policy family."""
    return cast(PolicyFamily, _build(choice))


def build_codec(choice: PluginChoice) -> Codec:
    """Return the codec of updates."""
    return cast(Codec, _build(choice))


def build_broadcast_codec(choice: PluginChoice) -> Codec:
    """Return the codec of broadcasts: that of updates where the record names no other."""
    plugin, options = _found(choice)
    half = "build_broadcast" if cast(CodecPlugin, plugin.record).build_broadcast else "build"
    return cast(Codec, plugin.build(options, half))


def build_evaluator(choice: PluginChoice) -> Evaluator:
    """Return an evaluator."""
    return cast(Evaluator, _build(choice))


def reads_episodes(choice: PluginChoice) -> bool:
    """Return whether an evaluator reads recorded episodes of its dataset."""
    return cast(EvaluatorPlugin, _found(choice)[0].record).reads_episodes


def build_reporter(choice: PluginChoice) -> Reporter:
    """Return a reporter."""
    return cast(Reporter, _build(choice))


def loader_for(uri: str) -> DatasetLoader:
    """Return the loader for the scheme of `uri`, such as `sim:`: the followed plan's choice."""
    from zk0_core.addresses import Address

    scheme = Address.parse(uri).scheme
    chosen = {choice.name: choice for choice in _followed.loaders} if _followed else {}
    return cast(DatasetLoader, _build(chosen.get(scheme, PluginChoice("loader", scheme))))


def open_dataset(
    uri: str, rename: Mapping[str, str] | None = None, progress: "Progress | None" = None
) -> "RobotDataset":
    """Open the dataset at `uri`, or those that it joins as one.

    Args:
        uri: One address, or several joined by " + ".
        rename: Cameras and joints to the names that the policy knows.
        progress: Told about long work.

    Raises:
        DataError: if one cannot be opened, a name is not there, or the parts do not fit together.
    """
    from zk0_core.addresses import split_joined
    from zk0_core.joined import joined
    from zk0_core.renaming import renamed

    datasets = [loader_for(part).open(part, progress) for part in split_joined(uri)]
    return joined(renamed(datasets, rename) if rename else datasets)
