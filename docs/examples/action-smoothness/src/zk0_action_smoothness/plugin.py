"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import EvaluatorPlugin, hookimpl

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_evaluators() -> Iterable[EvaluatorPlugin]:
    """Yield the evaluators of this package."""
    from zk0_action_smoothness.evaluator import Smoothness, SmoothnessOptions

    yield EvaluatorPlugin(
        name="action-smoothness",
        summary="How much the predicted actions jerk, on held-out episodes",
        options=SmoothnessOptions,
        build=Smoothness,
    )
