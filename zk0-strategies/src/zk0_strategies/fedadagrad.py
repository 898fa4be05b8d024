"""FedAdagrad: the server moves along the mean update by Adagrad's rule.

Reddi et al. 2021, "Adaptive Federated Optimization", algorithm 2. With Δ the mean update, weighted
by examples:

    v ← v + Δ²
    w ← w + lr · Δ / (√v + tau)

Flower's FedAdagrad does the step.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import gt

if TYPE_CHECKING:
    from zk0_core.protocols import Strategy


@attrs.frozen(kw_only=True)
class FedAdagradOptions(StrategyOptions):
    """Options of `fedadagrad`."""

    # Flower's default 0.1, is several times a transformer's weights.
    lr: float = attrs.field(
        default=0.01,
        validator=gt(0),
        metadata={"help": "Step of the server: about how far a value moves in a round."},
    )
    tau: float = attrs.field(
        default=1e-3,
        validator=gt(0),
        metadata={"help": "How adaptive: updates well below tau move in proportion to lr / tau."},
    )


def build(options: FedAdagradOptions) -> "Strategy":
    """Return Flower's FedAdagrad, fed with the streamed mean."""
    from flwr.serverapp.strategy import FedAdagrad

    from zk0_strategies.flower import FlowerOptimizer

    flower = FedAdagrad(eta=options.lr, tau=options.tau)
    return FlowerOptimizer(flower, kept={"m_t": dict, "v_t": dict})
