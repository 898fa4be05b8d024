"""FedProx: averaging, with a term that keeps each client near the global parameters.

Li et al. 2020, "Federated Optimization in Heterogeneous Networks", equation 2: a client minimises
F_k(w) + (mu / 2) · ‖w − w_global‖², over the exchanged parameters. The server half is FedAvg's.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import ge

if TYPE_CHECKING:
    import torch

    from zk0_core.tensors import Tensors


@attrs.frozen(kw_only=True)
class FedProxOptions(StrategyOptions):
    """Options of `fedprox`."""

    mu: float = attrs.field(
        default=0.01, validator=ge(0.0), metadata={"help": "Proximal weight; 0 is FedAvg."}
    )


class ProximalTerm:
    """Adds the gradient of (mu / 2) · ‖w − w_global‖², which is mu · (w − w_global)."""

    def __init__(self, options: FedProxOptions) -> None:
        """The weight comes with each step: schedules may move it."""

    def start(self, params: Mapping[str, "torch.nn.Parameter"], extra: "Tensors") -> None:
        """Remember where the round starts: `params` hold the broadcast, as decoded."""
        self._params: list[torch.Tensor] = list(params.values())
        self._global = [param.detach().clone() for param in self._params]

    def gradient(self, mu: float) -> "torch.Tensor | None":
        """Add mu · (w − w_global) to the gradients; return (mu / 2) · ‖w − w_global‖²."""
        import torch

        if mu == 0:
            return None
        # A parameter that the loss does not depend on has no gradient, and has not moved either.
        pairs = zip(self._params, self._global, strict=True)
        moving = [(p, start, p.grad) for p, start in pairs if p.grad is not None]
        params, starts, gradients = ([entry[i] for entry in moving] for i in range(3))
        with torch.no_grad():
            # w − w_global, as w + (−1) · w_global: the kernels take whole lists at once.
            away = torch._foreach_add(params, starts, alpha=-1)
            torch._foreach_add_(gradients, away, alpha=mu)
            norms = torch.stack(torch._foreach_norm(away))
            return mu / 2 * norms.square().sum()

    def finish(self) -> "Tensors":
        """Nothing is sent besides the update."""
        return {}

    def state(self) -> "Tensors":
        """Nothing outlives a round."""
        return {}

    def restore(self, state: "Tensors") -> None:
        """Nothing to take back."""
