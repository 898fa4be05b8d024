"""FedYogi: the server moves along the mean update by Yogi's rule, milder than Adam's.

Reddi et al. 2021, "Adaptive Federated Optimization", algorithm 2. With Δ the mean update, weighted
by examples:

    m ← beta_1 · m + (1 − beta_1) · Δ
    v ← v − (1 − beta_2) · Δ² · sign(v − Δ²)
    w ← w + lr · m / (√v + tau)

Flower's FedYogi does the step.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.options import between, gt
from zk0_core.records import StrategyOptions

if TYPE_CHECKING:
    from zk0_core.protocols import Strategy


@attrs.frozen(kw_only=True)
class FedYogiOptions(StrategyOptions):
    """Options of `fedyogi`."""

    lr: float = attrs.field(
        default=0.01,
        validator=gt(0),
        metadata={"help": "Step of the server: about how far a value moves in a round."},
    )
    beta_1: float = attrs.field(
        default=0.9,
        validator=between(0, 0.9999),
        metadata={"help": "How much of the mean direction stays from round to round."},
    )
    beta_2: float = attrs.field(
        default=0.99,
        validator=between(0, 0.9999),
        metadata={"help": "How much of the mean square stays from round to round."},
    )
    tau: float = attrs.field(
        default=1e-3,
        validator=gt(0),
        metadata={"help": "How adaptive: updates well below tau move in proportion to lr / tau."},
    )


def build(options: FedYogiOptions) -> "Strategy":
    """Return Flower's FedYogi, fed with the streamed mean."""
    from flwr.serverapp.strategy import FedYogi

    from zk0_strategies.flower import FlowerOptimizer

    flower = FedYogi(eta=options.lr, beta_1=options.beta_1, beta_2=options.beta_2, tau=options.tau)
    return FlowerOptimizer(flower, kept={"m_t": dict, "v_t": dict})
