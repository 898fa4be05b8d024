"""What this package adds to zk0; the entry point in pyproject.toml names this module."""

from collections.abc import Iterable

from zk0_core import StrategyPlugin, hookimpl
from zk0_plugin_template.mean import Mean, MeanOptions

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_strategies() -> Iterable[StrategyPlugin]:
    """Yield the strategies of this package."""
    yield StrategyPlugin(
        name="template-mean",
        summary="Mean of the updates, every client alike",
        options=MeanOptions,
        build=Mean,
    )
