"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import StrategyPlugin, hookimpl

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_strategies() -> Iterable[StrategyPlugin]:
    """Yield the strategies of this package."""
    from zk0_fed_nova.strategy import CountSteps, FedNova

    yield StrategyPlugin(
        name="fed-nova",
        summary="Mean of the updates per local step",
        build=FedNova,
        build_objective=CountSteps,
    )
