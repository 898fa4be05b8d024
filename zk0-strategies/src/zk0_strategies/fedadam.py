"""FedAdam: the server moves along the mean update by Adam's rule.

Reddi et al. 2021, "Adaptive Federated Optimization", algorithm 2. With Δ the mean update, weighted
by examples:

    m ← beta_1 · m + (1 − beta_1) · Δ
    v ← beta_2 · v + (1 − beta_2) · Δ²
    w ← w + lr · m / (√v + tau)

Flower's FedAdam does the step. In round t it scales lr by Adam's correction of the first rounds,
√(1 − beta_2^(t+1)) / (1 − beta_1^(t+1)).
"""

from typing import TYPE_CHECKING

import attrs

from zk0_strategies.flower import AdaptiveOptions, FlowerOptimizer

if TYPE_CHECKING:
    from zk0_core.protocols import Strategy


@attrs.frozen(kw_only=True)
class FedAdamOptions(AdaptiveOptions):
    """Options of `fedadam`."""


def build(options: FedAdamOptions) -> "Strategy":
    """Return Flower's FedAdam, fed with the streamed mean."""
    from flwr.serverapp.strategy import FedAdam

    flower = FedAdam(eta=options.lr, beta_1=options.beta_1, beta_2=options.beta_2, tau=options.tau)
    return FlowerOptimizer(flower, kept={"m_t": dict, "v_t": dict})
