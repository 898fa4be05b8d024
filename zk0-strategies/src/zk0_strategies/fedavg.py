"""Federated averaging: the mean of the clients' updates, weighted by their examples.

McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data",
algorithm 1: w ← w + Σ_k (n_k / n) (w_k − w).
"""

from typing import TYPE_CHECKING

from zk0_core.records import StrategyOptions
from zk0_strategies.base import StrategyDefaults, WeightedMean, moved

if TYPE_CHECKING:
    from zk0_core.protocols import Update
    from zk0_core.tensors import Tensors


class FedAvg(StrategyDefaults):
    """Streams the weighted mean: memory does not grow with the number of clients."""

    def __init__(self, options: StrategyOptions) -> None:
        """There is nothing to choose."""

    def begin(self, params: "Tensors", round: int) -> None:
        """Start from the global parameters `params`."""
        self._params = params
        self._mean = WeightedMean(params)

    def add(self, update: "Update") -> None:
        """Fold one update in, weighted by its examples."""
        self._mean.add(update.delta, update.examples)

    def finish(self) -> "Tensors":
        """Return w + Σ n_k · delta_k / Σ n_k, as float32."""
        return moved(self._params, self._mean.value())
