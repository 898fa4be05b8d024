"""Multi-Krum: the mean of the updates that have the most others near them.

Blanchard et al. 2017, "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent",
section 4. Updates are scored as Krum does; the mean of those with the lowest scores is weighted by
examples, as in Flower.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.validators import ge
from zk0_strategies.base import FromAllUpdates, mean_of
from zk0_strategies.krum import KrumOptions, nearest_to_others

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from zk0_core.protocols import Strategy, Update


@attrs.frozen(kw_only=True)
class MultiKrumOptions(KrumOptions):
    """Options of `multi-krum`."""

    select: int | None = attrs.field(
        default=None,
        validator=ge(1),
        metadata={"help": "How many updates are averaged; none: all but f + 2. 1 is krum."},
    )


def needed_updates(options: MultiKrumOptions) -> int:
    """Return 2 · f + 3, or more for so many to be averaged that f + 2 are left out."""
    return max(2 * options.f + 3, (options.select or 0) + options.f + 2)


def build(options: MultiKrumOptions) -> "Strategy":
    """Return the strategy."""

    def combine(updates: "Sequence[Update]") -> "Iterable[tuple[str, np.ndarray]]":
        count = options.select or len(updates) - options.f - 2
        return mean_of(nearest_to_others(updates, options.f, count)).items()

    return FromAllUpdates(combine)
