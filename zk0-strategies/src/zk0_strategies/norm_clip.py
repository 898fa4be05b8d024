"""Norm clipping: no client moves the model further than a bound, or than the others do.

Sun et al. 2019, "Can You Really Backdoor Federated Learning?", section 4: each update is scaled by
min(1, bound / ‖delta_k‖), and the mean is weighted by examples. Without a bound, it is the median
of the round's norms, which is always in proportion to what training does at the time.
"""

import statistics
from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import gt
from zk0_strategies.base import FromAllUpdates, mean_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from zk0_core.protocols import Strategy, Update


@attrs.frozen(kw_only=True)
class NormClipOptions(StrategyOptions):
    """Options of `norm-clip`."""

    bound: float | None = attrs.field(
        default=None,
        validator=gt(0.0),
        metadata={"help": "Norm that no update may exceed; none: the median of the round's."},
    )


def needed_updates(options: NormClipOptions) -> int:
    """Return 3 for the median: half of two norms could still be anything. A bound needs 1."""
    return 3 if options.bound is None else 1


def build(options: NormClipOptions) -> "Strategy":
    """Return the strategy."""

    def combine(updates: "Sequence[Update]") -> "Iterable[tuple[str, np.ndarray]]":
        from zk0_core.tensors import norm

        norms = [norm(update.delta) for update in updates]
        bound = statistics.median(norms) if options.bound is None else options.bound
        return mean_of(updates, [min(1.0, bound / size) if size else 1.0 for size in norms]).items()

    return FromAllUpdates(combine)
