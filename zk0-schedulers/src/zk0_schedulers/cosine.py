"""Cosine annealing within each round, from the base learning rate to eta_min.

Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", equation 5,
with one cycle of S local steps in every round: at step s the rate is
eta_min + (base − eta_min) · (1 + cos(π · s / S)) / 2.
"""

import attrs

from zk0_core import Span, ge
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class CosineOptions:
    """Options of `cosine`."""

    eta_min: float = attrs.field(
        default=5e-7,
        validator=ge(0),
        metadata={"help": "Learning rate that a round comes down to."},
    )


@attrs.frozen
class Cosine:
    """Half a cosine over each round's local steps."""

    options: CosineOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return the span from where `base` starts down to eta_min.

        A base that is below eta_min already stays where it is.
        """
        return Span(base.start, min(self.options.eta_min, base.start), 0.0, 1.0)
