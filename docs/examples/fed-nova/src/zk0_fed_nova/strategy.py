"""FedNova: updates are taken per local step, so that who takes more steps does not pull harder.

Wang et al. 2020, "Tackling the Objective Inconsistency Problem in Heterogeneous Federated
Optimization", equation 8, for local SGD. With τ_k the local steps of client k, p_k its share of the
examples and τ = Σ p_k τ_k: w ← w + τ · Σ_k p_k (w_k − w) / τ_k. With equal steps it is FedAvg.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zk0_core import StrategyOptions, WireError

if TYPE_CHECKING:
    import torch

    from zk0_core import Update
    from zk0_core.tensors import Tensors

STEPS = "steps"
"""Name of what a client sends beside its update: its number of local steps, (1,) float32."""


class FedNova:
    """The server half: two sums, in float64."""

    def __init__(self, options: StrategyOptions) -> None:
        """There is nothing to choose."""

    def begin(self, params: "Tensors", round: int) -> None:
        """Start a round at the global parameters `params`."""
        import numpy as np

        self._params = params
        self._sums = {name: np.zeros(array.shape, np.float64) for name, array in params.items()}
        self._examples = 0
        self._steps = 0.0  # Σ n_k τ_k

    def add(self, update: "Update") -> None:
        """Fold one client's update in, divided by its steps.

        Raises:
            WireError: if its client does not say how many steps it took.
        """
        steps = update.extra.get(STEPS)
        if steps is None or steps.shape != (1,) or steps[0] < 1:
            raise WireError(f"{STEPS} must be a number of 1 or more, got {steps}")
        tau = float(steps[0])
        for name, total in self._sums.items():
            total += update.delta[name].astype("float64") * (update.examples / tau)
        self._examples += update.examples
        self._steps += update.examples * tau

    def finish(self) -> "Tensors":
        """Return the new global parameters, float32."""
        # τ · Σ p_k Δ_k / τ_k = (Σ n_k τ_k / n) · (Σ n_k Δ_k / τ_k / n)
        scale = self._steps / self._examples / self._examples
        return {
            name: (self._params[name] + total * scale).astype("float32")
            for name, total in self._sums.items()
        }

    def order(self, client: str) -> "Tensors":
        """Nothing is sent to a client besides the parameters."""
        return {}

    def state(self) -> "Tensors":
        """Nothing outlives a round."""
        return {}

    def restore(self, state: "Tensors") -> None:
        """Nothing to take back."""


class CountSteps:
    """The client half: changes no gradient, and counts how often it could have."""

    def __init__(self, options: StrategyOptions) -> None:
        """There is nothing to choose."""

    def start(self, params: Mapping[str, "torch.nn.Parameter"], extra: "Tensors") -> None:
        """Begin a round's count."""
        self._steps = 0

    def gradient(self, mu: float) -> None:
        """Count a step."""
        self._steps += 1

    def finish(self) -> "Tensors":
        """Return the number of steps."""
        import numpy as np

        return {STEPS: np.full(1, self._steps, np.float32)}

    def state(self) -> "Tensors":
        """Nothing outlives a round."""
        return {}

    def restore(self, state: "Tensors") -> None:
        """Nothing to take back."""
