"""SCAFFOLD: clients correct their gradients by how their own differ from everybody's.

Karimireddy et al. 2020, "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning",
algorithm 1. With c_k the control variate of client k and c their mean over all clients, a local
step takes g + c − c_k where g is the raw gradient, so that local steps go where all clients
together would go. The paper computes the new c_k as (w − w_k) / (K · lr) − c_k + c (option II),
which under plain SGD is the mean of g over the K local steps; that mean itself is used here, so
that it holds under AdamW, clipping and a changing lr.

Both means, of updates and of variates, are weighted by examples: a client's weight is the number
that it came with. Clients that take part for the first time train without correction, and those
that have not come yet are in no mean.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zk0_core.errors import WireError
from zk0_core.records import StrategyOptions
from zk0_strategies.base import WeightedMean, moved

if TYPE_CHECKING:
    import torch

    from zk0_core.protocols import Update
    from zk0_core.tensors import Tensors

VARIATE = "variate/"
EXAMPLES = "examples/"
"""What names in the state start with: Σ n_k c_k by parameter, n_k by client."""


class Scaffold:
    """The server half: the mean update, and c."""

    def __init__(self, options: StrategyOptions) -> None:
        """There is nothing to choose."""
        self._sums: Tensors = {}  # Σ n_k c_k, float64; empty before the first round
        self._examples: dict[str, int] = {}  # n_k of the clients that are in the sums

    def begin(self, params: "Tensors", round: int) -> None:
        """Start from the global parameters `params`."""
        self._params = params
        self._mean = WeightedMean(params)
        self._changes = WeightedMean(params)
        self._new: dict[str, int] = {}
        total = sum(self._examples.values())
        self._variate = {n: (s / total).astype("float32") for n, s in self._sums.items()}

    def order(self, client: str) -> "Tensors":
        """Return c; nothing for a client that has no variate of its own yet."""
        return self._variate if client in self._examples else {}

    def add(self, update: "Update") -> None:
        """Fold in one update, and the change of its client's variate that came with it.

        Raises:
            WireError: if that change does not have the names and shapes of the parameters.
        """
        found = {name: tensor.shape for name, tensor in update.extra.items()}
        for name in sorted(self._params.keys() | found.keys()):
            wanted = self._params[name].shape if name in self._params else None
            if found.get(name) != wanted:
                raise WireError(
                    f"control variate of {name} has shape {found.get(name)}, expected {wanted}"
                )
        self._mean.add(update.delta, update.examples)
        weight = self._examples.get(update.client, update.examples)
        self._changes.add(update.extra, weight)
        self._new[update.client] = weight

    def finish(self) -> "Tensors":
        """Return w + the mean update, as float32; from now on the variates have changed."""
        for name, change in self._changes.sums.items():
            self._sums[name] = self._sums[name] + change if name in self._sums else change
        self._examples |= self._new
        return moved(self._params, self._mean.value())

    def state(self) -> "Tensors":
        """Return Σ n_k c_k and the n_k."""
        import numpy as np

        state = {f"{VARIATE}{name}": total for name, total in self._sums.items()}
        for client, examples in self._examples.items():
            state[f"{EXAMPLES}{client}"] = np.array([examples])
        return state

    def restore(self, state: "Tensors") -> None:
        """Take back what `state` returned."""
        self._sums, self._examples = {}, {}
        for name, tensor in state.items():
            if name.startswith(VARIATE):
                self._sums[name.removeprefix(VARIATE)] = tensor
            else:
                self._examples[name.removeprefix(EXAMPLES)] = int(tensor[0])


class ControlVariate:
    """The client half: c_k, the mean raw gradient over the steps of its last accepted round."""

    def __init__(self, options: StrategyOptions) -> None:
        """There is nothing to choose."""
        self._own: Tensors = {}

    def start(self, params: Mapping[str, "torch.nn.Parameter"], extra: "Tensors") -> None:
        """Make c − c_k from the `extra` that came with the order; none came, none is made."""
        import torch

        from zk0_core.tensors import difference

        self._params = dict(params)
        self._sums = [torch.zeros_like(param) for param in params.values()]
        self._steps = 0
        correction = difference(extra, self._own) if extra else {}
        self._correction = [
            torch.from_numpy(correction[name]).to(param.device, param.dtype)
            for name, param in params.items()
            if extra
        ]

    def gradient(self, mu: float) -> None:
        """Add c − c_k to the gradients, after taking them into the mean of the raw ones."""
        import torch

        gradients = [
            torch.zeros_like(param) if param.grad is None else param.grad
            for param in self._params.values()
        ]
        torch._foreach_add_(self._sums, gradients)
        self._steps += 1
        if self._correction:
            torch._foreach_add_(gradients, self._correction)
            for param, gradient in zip(self._params.values(), gradients, strict=True):
                param.grad = gradient

    def finish(self) -> "Tensors":
        """Return how c_k changed, or all of it for the first time."""
        from zk0_core.tensors import difference

        new = self.state()
        return difference(new, self._own) if self._own else new

    def state(self) -> "Tensors":
        """Return the new c_k, float32, by name of its parameter."""
        sums = zip(self._params, self._sums, strict=True)
        return {name: (total / self._steps).float().cpu().numpy() for name, total in sums}

    def restore(self, state: "Tensors") -> None:
        """Take back the c_k of this client's last accepted round."""
        self._own = dict(state)
