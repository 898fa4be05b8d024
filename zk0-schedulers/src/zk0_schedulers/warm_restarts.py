"""Cosine annealing across rounds, with warm restarts.

Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", equation 5. Time
is counted in rounds and runs on inside a round: local step s of S in round r stands at
t = r − 1 + s / S. Within a cycle of T rounds that began at t0 the rate is
eta_min + (base − eta_min) · (1 + cos(π · (t − t0) / T)) / 2. The first cycle has t_0 rounds, each
next one t_mult times as many. Cycles are whole rounds, so that a restart falls on a round's start.
"""

import attrs

from zk0_core import Span, ge
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class WarmRestartsOptions:
    """Options of `warm-restarts`."""

    t_0: int = attrs.field(
        default=15, validator=ge(1), metadata={"help": "Rounds of the first cycle."}
    )
    t_mult: int = attrs.field(
        default=2,
        validator=ge(1),
        metadata={"help": "How many times longer each next cycle is; 1: all alike."},
    )
    eta_min: float = attrs.field(
        default=5e-7,
        validator=ge(0),
        metadata={"help": "Learning rate that a cycle comes down to."},
    )


@attrs.frozen
class WarmRestarts:
    """One piece of the cycle's cosine for each round."""

    options: WarmRestartsOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return the piece of round `round`.

        A base that is below eta_min already stays where it is.
        """
        begin, length = self._cycle(round)
        low = min(self.options.eta_min, base.start)
        return Span(base.start, low, (round - 1 - begin) / length, (round - begin) / length)

    def _cycle(self, round: int) -> tuple[int, int]:
        """Return how many rounds went before the cycle of `round` (from 1), and its length."""
        begin, length = 0, self.options.t_0
        while round - 1 >= begin + length:
            begin += length
            length *= self.options.t_mult
        return begin, length
