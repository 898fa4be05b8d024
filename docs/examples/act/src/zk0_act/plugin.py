"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import PolicyPlugin, hookimpl

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_policies() -> Iterable[PolicyPlugin]:
    """Yield the policies of this package."""
    from zk0_act.policy import ActOptions, build

    yield PolicyPlugin(
        name="act",
        summary="LeRobot's ACT, trained from new weights",
        options=ActOptions,
        build=build,
    )
