"""Smaller learning rates while the server's loss does not improve.

Every evaluated round gives one loss, round 0 included; rounds between evaluations give none and
count for nothing. After `stall_patience` losses in a row that are not below the lowest one so far,
the rate is multiplied by `factor`, and counting starts anew; a new lowest loss starts it anew as
well. This is torch.optim.lr_scheduler.ReduceLROnPlateau with patience = stall_patience − 1 (torch
reduces at the first loss beyond its patience), threshold 0, eps 0 and min_lr = eta_min.
"""

import attrs

from zk0_core import Span, ge
from zk0_core.history import History
from zk0_core.validators import between_open


@attrs.frozen(kw_only=True)
class ReduceOnPlateauOptions:
    """Options of `reduce-on-plateau`."""

    factor: float = attrs.field(
        default=0.5,
        validator=between_open(0, 1),
        metadata={"help": "What a plateau multiplies the learning rate by."},
    )
    stall_patience: int = attrs.field(
        default=5,
        validator=ge(1),
        metadata={"help": "Evaluated rounds in a row without a new lowest loss: a plateau."},
    )
    eta_min: float = attrs.field(
        default=5e-7,
        validator=ge(0),
        metadata={"help": "Learning rate below which plateaus take nothing off."},
    )


@attrs.frozen
class ReduceOnPlateau:
    """The chain's value, times `factor` for every plateau so far."""

    options: ReduceOnPlateauOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return `base` reduced, its ends not below eta_min; an end that is below already stays."""
        reduced = base.scaled(self.options.factor ** self._plateaus(history.server_losses()))
        low = self.options.eta_min
        return attrs.evolve(
            reduced,
            hi=max(reduced.hi, min(low, base.hi)),
            lo=max(reduced.lo, min(low, base.lo)),
        )

    def _plateaus(self, losses: list[float]) -> int:
        """Return how many plateaus are complete among `losses`, oldest first."""
        plateaus, stalled, best = 0, 0, float("inf")
        for loss in losses:
            if loss < best:
                best, stalled = loss, 0
                continue
            stalled += 1
            if stalled == self.options.stall_patience:
                plateaus, stalled = plateaus + 1, 0
        return plateaus
