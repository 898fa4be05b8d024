"""A factor that follows the trend of the server's loss: down on a stall, down on a divergence.

Every evaluated round gives one loss, round 0 included, and may change the factor once; rounds
between evaluations leave it alone. With the last `adjustment_window` losses l_1 … l_w at hand,
improvement = (l_1 − l_w) / max(l_1, 1e-8), and the first of these that holds decides:

1. spike guard: l_w − l_(w−2) > spike_threshold, in loss: the factor stays;
2. divergence: improvement < −spike_threshold, as a share: factor / divergence_factor;
3. stall: improvement < min_improvement: factor × stall_factor.

Otherwise the factor stays. An adjustment that takes effect before round 20 is kept within
[1 / max_adjust_factor, max_adjust_factor].
"""

from collections.abc import Sequence

import attrs

from zk0_core import Span, between, ge, gt
from zk0_core.history import History
from zk0_core.validators import above_up_to

SPIKE_LOSSES = 3
"""How many losses, up to the last one, the spike guard looks at."""

UNCAPPED_FROM = 20
"""The first round in which an adjustment beyond max_adjust_factor may take effect."""

SMALLEST_LOSS = 1e-8
"""Keeps the improvement over a loss of zero finite."""


@attrs.frozen(kw_only=True)
class TrendOptions:
    """Options of `trend`."""

    adjustment_window: int = attrs.field(
        default=5,
        validator=ge(2),
        metadata={"help": "Losses that a trend is seen over; one for each evaluated round."},
    )
    spike_threshold: float = attrs.field(
        default=0.5,
        validator=gt(0),
        metadata={
            "help": "Share that the loss rises by over the window: a divergence. Rise over the "
            "last 3 losses, in loss: a spike, which changes nothing."
        },
    )
    divergence_factor: float = attrs.field(
        default=1.05,
        validator=ge(1),
        metadata={"help": "What a divergence divides the learning rate by."},
    )
    min_improvement: float = attrs.field(
        default=0.01,
        validator=between(0, 1),
        metadata={"help": "Share that the loss must fall by over the window; less is a stall."},
    )
    stall_factor: float = attrs.field(
        default=0.95,
        validator=above_up_to(0, 1),
        metadata={"help": "What a stall multiplies the learning rate by."},
    )
    max_adjust_factor: float = attrs.field(
        default=1.05,
        validator=ge(1),
        metadata={"help": "Before round 20, no adjustment goes beyond this, up or down."},
    )


@attrs.frozen
class Trend:
    """The chain's value, times all adjustments so far."""

    options: TrendOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return `base` times the factor that `history` leads to."""
        factor = 1.0
        losses: list[float] = []
        for record in history.rounds:
            if record.policy_loss is not None:
                losses.append(record.policy_loss)
                factor *= self._adjustment(losses, takes_effect=record.round + 1)
        return base.scaled(factor)

    def _adjustment(self, losses: Sequence[float], takes_effect: int) -> float:
        """Return what the last of `losses` multiplies the factor by, from a round on."""
        adjustment = self._wanted(losses)
        if takes_effect >= UNCAPPED_FROM:
            return adjustment
        cap = self.options.max_adjust_factor
        return min(max(adjustment, 1 / cap), cap)

    def _wanted(self, losses: Sequence[float]) -> float:
        options = self.options
        if len(losses) < options.adjustment_window or self._spiked(losses):
            return 1.0
        first, last = losses[-options.adjustment_window], losses[-1]
        improvement = (first - last) / max(first, SMALLEST_LOSS)
        if improvement < -options.spike_threshold:
            return 1 / options.divergence_factor
        return options.stall_factor if improvement < options.min_improvement else 1.0

    def _spiked(self, losses: Sequence[float]) -> bool:
        if len(losses) < SPIKE_LOSSES:
            return False
        return losses[-1] - losses[-SPIKE_LOSSES] > self.options.spike_threshold
