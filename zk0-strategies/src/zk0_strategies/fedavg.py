"""Federated averaging: the mean of the clients' updates, weighted by their examples.

McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data",
algorithm 1: w ← w + Σ_k (n_k / n) (w_k − w).
"""

import numpy as np

from zk0_core.protocols import Update
from zk0_core.tensors import Tensors


class FedAvg:
    """Streams the weighted mean: memory does not grow with the number of clients.

    Sums are kept in float64. A float32 difference times a whole number of examples is exact
    there, so that the mean of equal updates is that update, to the bit.
    """

    def begin(self, params: Tensors, round: int) -> None:
        """Start from the global parameters `params`."""
        self._params = params
        self._sums = {name: np.zeros(array.shape, np.float64) for name, array in params.items()}
        self._examples = 0

    def add(self, update: Update) -> None:
        """Add examples · delta to the sums."""
        for name, total in self._sums.items():
            total += update.delta[name].astype(np.float64) * update.examples
        self._examples += update.examples

    def finish(self) -> Tensors:
        """Return w + Σ n_k · delta_k / Σ n_k, as float32."""
        return {
            name: (self._params[name] + total / self._examples).astype(np.float32)
            for name, total in self._sums.items()
        }

    def order(self, client: str) -> Tensors:
        """Nothing is sent besides the parameters."""
        return {}

    def state(self) -> Tensors:
        """Nothing outlives a round."""
        return {}

    def restore(self, state: Tensors) -> None:
        """Nothing to take back."""
