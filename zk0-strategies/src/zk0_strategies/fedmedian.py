"""The coordinate-wise median of the updates: fewer than half the clients cannot drag it away.

Yin et al. 2018, "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates",
definition 1. Clients count alike; of an even number, the two in the middle are averaged.
"""

from typing import TYPE_CHECKING

from zk0_core.records import StrategyOptions
from zk0_strategies.base import FromAllUpdates, by_tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from zk0_core.protocols import Strategy, Update


def needed_updates(options: StrategyOptions) -> int:
    """Return 3: the median of two is their mean."""
    return 3


def median(updates: "Sequence[Update]") -> "Iterable[tuple[str, np.ndarray]]":
    """Yield each tensor's median over the updates, value by value."""
    import numpy as np

    return by_tensor(updates, lambda stack: np.median(stack, axis=0))


def build(options: StrategyOptions) -> "Strategy":
    """Return the strategy."""
    return FromAllUpdates(median)
