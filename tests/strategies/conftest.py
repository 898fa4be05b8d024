"""The halves of strategies, and rounds of one that need no client."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.quadratic import federate, quadratic  # noqa: F401  # fixtures
from zk0_core.parts import build_objective, build_strategy
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Update


def choice(name: str, **options: Any) -> PluginChoice:
    return PluginChoice("strategy", name, options)


Combine = Callable[..., np.ndarray]


@pytest.fixture
def combine() -> Combine:
    """Run one round without clients, from w = 0: strategy or its name, deltas, its options."""

    def combine(
        strategy: Any,
        *deltas: Sequence[float],
        examples: Sequence[int] | None = None,
        losses: Sequence[float | None] | None = None,
        round: int = 1,
        start: Sequence[float] | None = None,
        **options: Any,
    ) -> np.ndarray:
        if isinstance(strategy, str):
            strategy = build_strategy(choice(strategy, **options))
        begin = np.zeros(len(deltas[0])) if start is None else start
        strategy.begin({"w": np.array(begin, np.float32)}, round)
        for index, delta in enumerate(deltas):
            strategy.add(
                Update(
                    f"client-{index:02}",
                    examples[index] if examples else 1,
                    {"w": np.array(delta, np.float32)},
                    start_loss=losses[index] if losses else None,
                )
            )
        result: np.ndarray = strategy.finish()["w"]
        assert result.dtype == np.float32
        return result

    return combine


@pytest.fixture
def build() -> Callable[..., Any]:
    """Build the server half, from a name and options."""
    return lambda name, **options: build_strategy(choice(name, **options))


@pytest.fixture
def objective() -> Callable[..., Any]:
    """Build the client half, from a name and options."""
    return lambda name, **options: build_objective(choice(name, **options))
