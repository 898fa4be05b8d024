"""DiLoCo: clients train long by AdamW, and the server moves by Nesterov momentum.

Douillard et al. 2023, "DiLoCo: Distributed Low-Communication Training of Language Models",
algorithm 1. With Δ the mean update, weighted by examples, which is minus the outer gradient:

    v ← momentum · v + Δ
    w ← w + lr · (Δ + momentum · v)

The inner optimizer is the AdamW that every client trains with; it keeps its state between rounds,
as in the paper. The paper's defaults are lr 0.7 and momentum 0.9; lr 1 with momentum 0 is FedAvg.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import between, gt
from zk0_strategies.base import StrategyDefaults, WeightedMean, moved

if TYPE_CHECKING:
    from zk0_core.protocols import Update
    from zk0_core.tensors import Tensors


@attrs.frozen(kw_only=True)
class DiLoCoOptions(StrategyOptions):
    """Options of `diloco`."""

    lr: float = attrs.field(
        default=0.7, validator=gt(0), metadata={"help": "Step of the outer optimizer."}
    )
    momentum: float = attrs.field(
        default=0.9,
        validator=between(0, 1),
        metadata={"help": "How much of the last rounds' direction stays; 0: none."},
    )


class DiLoCo(StrategyDefaults):
    """Streams the mean; what outlives a round is the momentum."""

    def __init__(self, options: DiLoCoOptions) -> None:
        self._options = options
        self._momentum: Tensors = {}  # v above, float32; empty before the first round

    def begin(self, params: "Tensors", round: int) -> None:
        """Start from the global parameters `params`."""
        self._params = params
        self._mean = WeightedMean(params)

    def add(self, update: "Update") -> None:
        """Fold one update into the mean."""
        self._mean.add(update.delta, update.examples)

    def finish(self) -> "Tensors":
        """Return the parameters after the outer step, as float32."""
        lr, momentum = self._options.lr, self._options.momentum
        step = self._mean.value()
        for name, mean in step.items():
            before = self._momentum.get(name)
            velocity = mean if before is None else momentum * before + mean
            self._momentum[name] = velocity.astype("float32")
            step[name] = lr * (mean + momentum * velocity)
        return moved(self._params, step)

    def state(self) -> "Tensors":
        """Return the momentum, by name of its parameter."""
        return dict(self._momentum)

    def restore(self, state: "Tensors") -> None:
        """Take back what `state` returned."""
        self._momentum = dict(state)
