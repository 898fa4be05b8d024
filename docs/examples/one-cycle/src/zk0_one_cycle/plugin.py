"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import LrSchedulerPlugin, hookimpl

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_lr_schedulers() -> Iterable[LrSchedulerPlugin]:
    """Yield the learning-rate schedulers of this package."""
    from zk0_one_cycle.scheduler import OneCycle, OneCycleOptions

    yield LrSchedulerPlugin(
        name="one-cycle",
        summary="Up to the learning rate, then far down, once over all rounds",
        options=OneCycleOptions,
        build=OneCycle,
    )
