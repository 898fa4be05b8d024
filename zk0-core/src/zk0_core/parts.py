"""The parts of a run, built from a plan's plugin choices."""

import functools
from collections.abc import Mapping
from typing import Any, cast

from zk0_core.data import Progress, RobotDataset
from zk0_core.plan import PluginChoice
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
from zk0_core.records import EvaluatorPlugin, PluginRecord, StrategyPlugin
from zk0_core.registry import Registry


@functools.cache
def installed() -> Registry:
    """Return the registry of what is installed, discovered once a process."""
    return Registry.discover()


def _record(choice: PluginChoice) -> tuple[PluginRecord, Any]:
    from zk0_core.options import structure_options

    record = installed().get(choice.kind, choice.name, choice.distribution)
    return record, structure_options(record.options, choice.options, path=choice.kind)


def _build(choice: PluginChoice) -> Any:
    record, options = _record(choice)
    return record.build(options)


def build_strategy(choice: PluginChoice) -> Strategy:
    """Return the server half of a strategy."""
    return cast(Strategy, _build(choice))


def build_objective(choice: PluginChoice) -> Objective | None:
    """Return the client half of a strategy; None when it has none."""
    record, options = _record(choice)
    build = cast(StrategyPlugin, record).build_objective
    return build(options) if build else None


def build_schedule(choice: PluginChoice) -> Schedule:
    """Return an lr or mu schedule."""
    return cast(Schedule, _build(choice))


def build_policy_family(choice: PluginChoice) -> PolicyFamily:
    """Return a policy family."""
    return cast(PolicyFamily, _build(choice))


def build_codec(choice: PluginChoice) -> Codec:
    """Return a codec."""
    return cast(Codec, _build(choice))


def build_evaluator(choice: PluginChoice) -> Evaluator:
    """Return an evaluator."""
    return cast(Evaluator, _build(choice))


def reads_episodes(choice: PluginChoice) -> bool:
    """Return whether an evaluator reads recorded episodes of its dataset."""
    return cast(EvaluatorPlugin, _record(choice)[0]).reads_episodes


def build_reporter(choice: PluginChoice) -> Reporter:
    """Return a reporter."""
    return cast(Reporter, _build(choice))


def loader_for(uri: str) -> DatasetLoader:
    """Return the loader for the scheme of `uri`, such as `sim:` or `local:`."""
    record = installed().get("loader", uri.partition(":")[0])
    return cast(DatasetLoader, record.build(record.options()))


def open_dataset(
    uri: str, rename: Mapping[str, str] | None = None, progress: Progress | None = None
) -> RobotDataset:
    """Open the dataset at `uri`; `rename` gives its features the names that the policy knows."""
    from zk0_core.renaming import renamed

    dataset = loader_for(uri).open(uri, progress)
    return renamed(dataset, rename) if rename else dataset
