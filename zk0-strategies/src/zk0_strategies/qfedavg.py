"""q-FedAvg: clients with a high loss count more, so that no arm is left behind.

Li et al. 2020, "Fair Resource Allocation in Federated Learning", algorithm 2. With F_k the loss of
client k before training, delta_k = w_k − w, and L the Lipschitz constant of the gradients:

    w ← w + Σ_k F_k^q · L · delta_k / Σ_k (q · F_k^(q − 1) · ‖L · delta_k‖² + L · F_k^q)

L cancels but for one place; it is written that way below. Clients count alike, whatever their
number of examples. q = 0 is the plain mean over clients.
"""

import math
from typing import TYPE_CHECKING

import attrs

from zk0_core.errors import WireError
from zk0_core.records import StrategyOptions
from zk0_core.validators import ge, gt
from zk0_strategies.base import StrategyDefaults, WeightedMean, moved

if TYPE_CHECKING:
    from zk0_core.protocols import Update
    from zk0_core.tensors import Tensors

TINY = 1e-10
"""Added to losses, as Flower does, so that one of 0 has its powers."""

MOST_DIGITS = 200
"""A client whose F^q has more would count for all others, and beyond 308 it is no number."""


@attrs.frozen(kw_only=True)
class QFedAvgOptions(StrategyOptions):
    """Options of `qfedavg`."""

    q: float = attrs.field(
        default=0.1,
        validator=ge(0.0),
        metadata={"help": "How much a high loss counts; 0 is the plain mean over clients."},
    )
    lipschitz: float = attrs.field(
        default=1.0,
        validator=gt(0.0),
        metadata={"help": "How much a long update shortens the step; 1 / lr under plain SGD."},
    )


class QFedAvg(StrategyDefaults):
    """Streams numerator and denominator."""

    def __init__(self, options: QFedAvgOptions) -> None:
        self._options = options

    def begin(self, params: "Tensors", round: int) -> None:
        """Start from the global parameters `params`."""
        self._params = params
        self._mean = WeightedMean(params)
        self._denominator = 0.0

    def add(self, update: "Update") -> None:
        """Fold one update in, weighted by F^q.

        Raises:
            WireError: if it comes without a loss before training, with a negative one, or with one
                whose power is out of range.
        """
        from zk0_core.tensors import norm

        q = self._options.q
        if update.start_loss is None or update.start_loss < 0:
            raise WireError(
                f"the loss before training is {update.start_loss}; qfedavg needs one of at least 0"
            )
        loss = update.start_loss + TINY
        if q * math.log10(loss) > MOST_DIGITS:
            raise WireError(
                f"the loss before training is {loss:g}; its power with q = {q:g} is above "
                f"1e{MOST_DIGITS}"
            )
        self._mean.add(update.delta, loss**q)
        length = norm(update.delta)
        self._denominator += loss**q + q * loss ** (q - 1) * self._options.lipschitz * length**2

    def finish(self) -> "Tensors":
        """Return the formula above, as float32."""
        return moved(self._params, self._mean.value(over=self._denominator))
