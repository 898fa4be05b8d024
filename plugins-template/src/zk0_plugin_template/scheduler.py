"""Half the learning rate after every so many rounds.

lr(round) = base / 2^⌊(round − 1) / rounds⌋.
"""

import attrs

from zk0_core import Span, ge
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class HalvingOptions:
    """Options: flags `--scheduler.rounds`, keys of [[schedulers]] in a run file."""

    rounds: int = attrs.field(
        default=10, validator=ge(1), metadata={"help": "Rounds until the rate is halved."}
    )


@attrs.frozen
class Halving:
    """A pure function of round and base."""

    options: HalvingOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return the learning rate of round `round`, from 1."""
        return base.scaled(0.5 ** ((round - 1) // self.options.rounds))
