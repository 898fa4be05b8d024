"""Krum: the one update that has the most others near it.

Blanchard et al. 2017, "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent",
section 3. Of K updates, of which f may be anything, the score of one is the sum of the squared
distances to its K − f − 2 nearest; the lowest score wins.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import ge
from zk0_strategies.base import FromAllUpdates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from zk0_core.protocols import Strategy, Update


@attrs.frozen(kw_only=True)
class KrumOptions(StrategyOptions):
    """Options of `krum`."""

    f: int = attrs.field(
        default=1,
        validator=ge(1),
        metadata={"help": "How many clients of a round may send anything."},
    )


def needed_updates(options: KrumOptions) -> int:
    """Return 2 · f + 3, for which the paper's theorem holds."""
    return 2 * options.f + 3


def nearest_to_others(updates: "Sequence[Update]", f: int, count: int) -> "list[Update]":
    """Return the `count` updates with the lowest scores, the lowest first."""
    import numpy as np

    distances = squared_distances(updates)
    others = len(updates) - f - 2
    # Sorted, each row starts with the distance of 0 to itself.
    scores = np.sort(distances, axis=1)[:, 1 : 1 + others].sum(axis=1)
    return [updates[index] for index in np.argsort(scores, kind="stable")[:count]]


def squared_distances(updates: "Sequence[Update]") -> "np.ndarray":
    """Return the (K, K) squared Euclidean distances of K updates, summed in float64."""
    import numpy as np

    distances = np.zeros((len(updates), len(updates)))
    for name in sorted(updates[0].delta):
        flat = np.stack([update.delta[name].ravel() for update in updates])  # (K, D) float32
        for row, own in enumerate(flat):
            # Differences first: ‖x‖² + ‖y‖² − 2 x·y would lose the digits that matter.
            distances[row] += np.square(flat - own, dtype=np.float64).sum(axis=1)
    return distances


def build(options: KrumOptions) -> "Strategy":
    """Return the strategy."""

    def combine(updates: "Sequence[Update]") -> "Iterable[tuple[str, np.ndarray]]":
        return nearest_to_others(updates, options.f, 1)[0].delta.items()

    return FromAllUpdates(combine)
