"""The uniform mean: every client counts alike, however many examples it has.

w ← w + Σ_k (w_k − w) · step / K over the K clients of a round.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core import StrategyOptions, Update, gt

if TYPE_CHECKING:
    from zk0_core.tensors import Tensors


@attrs.frozen(kw_only=True)
class MeanOptions(StrategyOptions):
    """Options: flags `--strategy.step`, keys of [strategy] in a run file."""

    step: float = attrs.field(
        default=1.0,
        validator=gt(0),
        metadata={"help": "How far to go along the mean update; 1 goes all the way."},
    )


class Mean:
    """Sums updates one by one, so that memory does not grow with the number of clients."""

    def __init__(self, options: MeanOptions) -> None:
        self._step = options.step

    def begin(self, params: "Tensors", round: int) -> None:
        """Start a round at the global parameters `params`."""
        import numpy as np

        self._params = params
        self._sums = {name: np.zeros(array.shape, np.float64) for name, array in params.items()}
        self._clients = 0

    def add(self, update: Update) -> None:
        """Fold one client's update in."""
        for name, total in self._sums.items():
            total += update.delta[name]
        self._clients += 1

    def finish(self) -> "Tensors":
        """Return the new global parameters, float32."""
        scale = self._step / self._clients
        return {
            name: (self._params[name] + total * scale).astype("float32")
            for name, total in self._sums.items()
        }

    def order(self, client: str) -> "Tensors":
        """Return extra tensors for a client: none."""
        return {}

    def state(self) -> "Tensors":
        """Return what outlives a round: nothing."""
        return {}

    def restore(self, state: "Tensors") -> None:
        """Take back what `state` returned."""
