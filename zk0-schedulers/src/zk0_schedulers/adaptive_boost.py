"""A higher learning rate for a client that lags behind the others.

A client's loss is the policy loss that it reported in the last round it took part in, whichever
round that was. Where it is above high_loss_multiplier × the mean of all other known clients'
losses, the client trains this round at lr_boost_factor × the chain's rate. The next round decides
anew: boosts don't accumulate.
"""

import attrs

from zk0_core import Span, ge
from zk0_core.history import History


@attrs.frozen(kw_only=True)
class AdaptiveBoostOptions:
    """Options of `adaptive-boost`."""

    high_loss_multiplier: float = attrs.field(
        default=2.0,
        validator=ge(1),
        metadata={"help": "How many times the others' mean loss a client's must be above."},
    )
    lr_boost_factor: float = attrs.field(
        default=1.15,
        validator=ge(1),
        metadata={"help": "What such a client's learning rate is multiplied by; 1: nothing."},
    )


@attrs.frozen
class AdaptiveBoost:
    """The chain's value, boosted for a client whose loss is high."""

    options: AdaptiveBoostOptions

    def value(self, round: int, base: Span, history: History, client: str | None = None) -> Span:
        """Return `base`, boosted if `client` lags behind; as it is for no client in particular."""
        losses = history.last_client_losses
        # None, which is what all clients have in common, is nobody's name either.
        mine = losses.get(client) if client is not None else None
        others = [loss for name, loss in losses.items() if name != client]
        if mine is None or not others:
            return base
        mean = sum(others) / len(others)
        if mine > self.options.high_loss_multiplier * mean:
            return base.scaled(self.options.lr_boost_factor)
        return base
