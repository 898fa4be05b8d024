"""No proximal term in the first rounds, when nobody has much to lose."""

import attrs

from zk0_core import Span, ge
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class DelayOptions:
    """Options: flags `--mu-scheduler.rounds`, keys of [[mu_schedulers]] in a run file."""

    rounds: int = attrs.field(
        default=3, validator=ge(0), metadata={"help": "Rounds without the term; 0 is none."}
    )


@attrs.frozen
class Delay:
    """A pure function of round and base."""

    options: DelayOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return the proximal weight of round `round`, from 1."""
        return base.scaled(0.0 if round <= self.options.rounds else 1.0)
