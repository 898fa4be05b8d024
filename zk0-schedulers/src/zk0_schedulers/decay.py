"""A proximal weight that shrinks by the same factor every round: mu · factor^(r − 1) in round r."""

import attrs

from zk0_core import Span
from zk0_core.history import History
from zk0_core.validators import above_up_to


@attrs.frozen(kw_only=True)
class DecayOptions:
    """Options of `decay`."""

    factor: float = attrs.field(
        default=0.98,
        validator=above_up_to(0, 1),
        metadata={"help": "What each round after the first multiplies mu by; 1: no decay."},
    )


@attrs.frozen
class Decay:
    """The chain's value, decayed since round 1."""

    options: DecayOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return `base` times factor^(round − 1)."""
        return base.scaled(self.options.factor ** (round - 1))
