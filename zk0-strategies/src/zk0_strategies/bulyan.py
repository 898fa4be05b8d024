"""Bulyan: of the updates that Krum trusts, the mean of those around the median, value by value.

El Mhamdi et al. 2018, "The Hidden Vulnerability of Distributed Learning in Byzantium", section 4.
Of K updates, of which f may be anything, the K − 2 f with the lowest Krum scores are selected; of
these, each value is the mean of the K − 4 f that are nearest to their median. Clients count alike.
As in Flower, the scores are computed once, where the paper runs Krum again after each selection.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_strategies.base import FromAllUpdates, by_tensor
from zk0_strategies.krum import KrumOptions, nearest_to_others

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from zk0_core.protocols import Strategy, Update


@attrs.frozen(kw_only=True)
class BulyanOptions(KrumOptions):
    """Options of `bulyan`."""


def needed_updates(options: BulyanOptions) -> int:
    """Return 4 · f + 3, for which the paper's theorem holds."""
    return 4 * options.f + 3


def mean_around_median(stack: "np.ndarray", count: int) -> "np.ndarray":
    """Return the mean of the `count` of (K, …) values that are nearest to their median."""
    import numpy as np

    away = np.abs(stack - np.median(stack, axis=0))
    nearest = np.argsort(away, axis=0, kind="stable")[:count]
    mean: np.ndarray = np.take_along_axis(stack, nearest, axis=0).mean(axis=0)
    return mean


def build(options: BulyanOptions) -> "Strategy":
    """Return the strategy."""

    def combine(updates: "Sequence[Update]") -> "Iterable[tuple[str, np.ndarray]]":
        selected = nearest_to_others(updates, options.f, len(updates) - 2 * options.f)
        count = len(updates) - 4 * options.f
        return by_tensor(selected, lambda stack: mean_around_median(stack, count))

    return FromAllUpdates(combine)
