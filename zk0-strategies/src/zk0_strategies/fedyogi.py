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

from zk0_strategies.flower import AdaptiveOptions, FlowerOptimizer

if TYPE_CHECKING:
    from zk0_core.protocols import Strategy


@attrs.frozen(kw_only=True)
class FedYogiOptions(AdaptiveOptions):
    """Options of `fedyogi`."""


def build(options: FedYogiOptions) -> "Strategy":
    """Return Flower's FedYogi, fed with the streamed mean."""
    from flwr.serverapp.strategy import FedYogi

    flower = FedYogi(eta=options.lr, beta_1=options.beta_1, beta_2=options.beta_2, tau=options.tau)
    return FlowerOptimizer(flower, kept={"m_t": dict, "v_t": dict})
