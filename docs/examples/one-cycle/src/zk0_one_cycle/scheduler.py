"""One cycle over all rounds: up to the learning rate, then far down.

Smith 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates".
Cosines in both directions, as in PyTorch's OneCycleLR: over the first `rise` rounds from base /
start_factor up to base, over the others down to base / end_factor. The rate moves within
rounds too.
"""

import attrs

from zk0_core import Span, ge, gt
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class OneCycleOptions:
    """Options: flags `--scheduler.rise`, keys of [[schedulers]] in a run file."""

    rounds: int = attrs.field(validator=ge(2), metadata={"help": "Rounds of the whole cycle."})
    rise: int = attrs.field(
        default=3, validator=ge(1), metadata={"help": "Rounds until the full rate."}
    )
    start_factor: float = attrs.field(
        default=25.0, validator=gt(1), metadata={"help": "How far below the full rate it begins."}
    )
    end_factor: float = attrs.field(
        default=1000.0, validator=gt(1), metadata={"help": "How far below the full rate it ends."}
    )


@attrs.frozen
class OneCycle:
    """A pure function: each round has its piece of one of the two cosines."""

    options: OneCycleOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return the piece of round `round`, from 1; after the cycle, its end."""
        options, full = self.options, base.start
        if round <= options.rise:
            # Backwards along the cosine, phase 1 to 0, is upwards.
            low, begin, end = full / options.start_factor, round - 1, round
            return Span(full, low, 1 - begin / options.rise, 1 - end / options.rise)
        low = full / options.end_factor
        if round > options.rounds:
            return Span.constant(low)
        fall, begin = options.rounds - options.rise, round - 1 - options.rise
        return Span(full, low, begin / fall, (begin + 1) / fall)
