"""A higher proximal weight after a round in which the clients' losses lay far apart.

The spread is the population standard deviation of the policy losses of the clients whose updates
were accepted in the last round. It decides about the round to come alone: nothing accumulates.
"""

import attrs

from zk0_core import Span, ge, gt
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class LossSpreadOptions:
    """Options of `loss-spread`."""

    loss_std_threshold: float = attrs.field(
        default=1.2,
        validator=ge(0),
        metadata={"help": "Standard deviation of the clients' losses that must be exceeded."},
    )
    mu_adjust_factor: float = attrs.field(
        default=1.05,
        validator=gt(0),
        metadata={"help": "What mu is multiplied by in the round after."},
    )
    mu_min: float = attrs.field(
        default=0.001,
        validator=ge(0),
        metadata={"help": "Never a lower mu than this, even where the strategy's is 0."},
    )


@attrs.frozen
class LossSpread:
    """The chain's value, raised after a round of large spread, and never below mu_min."""

    options: LossSpreadOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return mu for `round`; without two clients in the last round there is no spread."""
        span = base.scaled(self.options.mu_adjust_factor) if self._spread(history) else base
        return span.clamped(self.options.mu_min, float("inf"))

    def _spread(self, history: History) -> bool:
        """Whether the last round's losses lay further apart than the threshold."""
        if not history.rounds or len(history.rounds[-1].clients) < 2:
            return False
        deviation = history.rounds[-1].std_client_loss()
        return deviation is not None and deviation > self.options.loss_std_threshold
