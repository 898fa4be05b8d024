"""The coordinate-wise trimmed mean: each value's highest and lowest updates do not count.

Yin et al. 2018, "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates",
definition 2. Of K clients, the int(beta · K) highest and as many lowest are left out, value by
value, and the others count alike.
"""

import math
from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import between_open
from zk0_strategies.base import FromAllUpdates, by_tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from zk0_core.protocols import Strategy, Update


@attrs.frozen(kw_only=True)
class TrimmedMeanOptions(StrategyOptions):
    """Options of `trimmed-mean`."""

    beta: float = attrs.field(
        default=0.2,
        validator=between_open(0, 0.5),
        metadata={"help": "Share of the clients that is left out at either end."},
    )


def trimmed(beta: float, clients: int) -> int:
    """Return how many clients are left out at either end."""
    return int(beta * clients)


def needed_updates(options: TrimmedMeanOptions) -> int:
    """Return the fewest clients of which one is left out at either end."""
    least = math.ceil(1 / options.beta)
    # 1 / beta is rounded: make sure by the number that counts.
    return least if trimmed(options.beta, least) else least + 1


def build(options: TrimmedMeanOptions) -> "Strategy":
    """Return the strategy."""

    def combine(updates: "Sequence[Update]") -> "Iterable[tuple[str, np.ndarray]]":
        cut = trimmed(options.beta, len(updates))
        return by_tensor(updates, lambda stack: _middle(stack, cut).mean(axis=0))

    return FromAllUpdates(combine)


def _middle(stack: "np.ndarray", cut: int) -> "np.ndarray":
    """Return (K − 2 · cut, …) of the (K, …) values, without the highest and lowest."""
    stack.sort(axis=0)
    return stack[cut : len(stack) - cut]
