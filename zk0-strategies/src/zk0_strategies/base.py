"""What strategies are made of: a mean that streams, and a shape for those that see all updates."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from zk0_core.protocols import Update
    from zk0_core.tensors import Tensors


class WeightedMean:
    """Σ weight · tensor / Σ weight, by name, summed as tensors come, in float64.

    Memory is one float64 copy of the model, however many updates there are. A float32 value times
    a whole number of examples is exact, so that the mean of equal updates is that update, to the
    bit.
    """

    def __init__(self, like: "Mapping[str, np.ndarray]") -> None:
        """Start an empty mean of tensors with the names and shapes of `like`."""
        import numpy as np

        self.sums = {name: np.zeros(array.shape, np.float64) for name, array in like.items()}
        self.weight = 0.0

    def add(self, tensors: "Mapping[str, np.ndarray]", weight: float) -> None:
        """Add weight · tensors."""
        for name, total in self.sums.items():
            total += tensors[name].astype("float64") * weight
        self.weight += weight

    def value(self, over: float | None = None) -> "Tensors":
        """Return the mean, float64; the sums become it, so that nothing can be added to it.

        Args:
            over: What the sums are divided by instead of the weights' own sum.
        """
        sums, self.sums = self.sums, {}
        for total in sums.values():
            total /= self.weight if over is None else over
        return sums


def moved(params: "Tensors", step: "Mapping[str, np.ndarray]") -> "Tensors":
    """Return params + step, added in float64 where `step` is, as float32."""
    return {name: (array + step[name]).astype("float32") for name, array in params.items()}


class StrategyDefaults:
    """What most strategies have in common: nothing extra is sent, and nothing outlives a round."""

    def order(self, client: str) -> "Tensors":
        """Nothing is sent besides the parameters."""
        return {}

    def state(self) -> "Tensors":
        """Nothing outlives a round."""
        return {}

    def restore(self, state: "Tensors") -> None:
        """Nothing to take back."""


Combine = Callable[[Sequence["Update"]], "Iterable[tuple[str, np.ndarray]]"]
"""From all updates of a round to the step of the global parameters, one named tensor at a time."""


class FromAllUpdates(StrategyDefaults):
    """A strategy that is one function of all updates of a round.

    Its record says `sees_all_updates`, so that a delta is on disk until the function reads it,
    tensor by tensor: memory grows by one tensor per client, not by one model.
    """

    def __init__(self, combine: Combine) -> None:
        self._combine = combine

    def begin(self, params: "Tensors", round: int) -> None:
        """Start from the global parameters `params`."""
        self._params = params
        self._updates: list[Update] = []

    def add(self, update: "Update") -> None:
        """Remember the update; its tensors stay where they are."""
        self._updates.append(update)

    def finish(self) -> "Tensors":
        """Return w + step, as float32."""
        return {
            name: (self._params[name] + step).astype("float32")
            for name, step in self._combine(self._updates)
        }


def by_tensor(
    updates: "Sequence[Update]", combine: "Callable[[np.ndarray], np.ndarray]"
) -> "Iterable[tuple[str, np.ndarray]]":
    """Yield each name with what `combine` makes of its (K, …) stack over K updates, float64."""
    import numpy as np

    for name in sorted(updates[0].delta):
        yield name, combine(np.stack([update.delta[name] for update in updates], dtype=np.float64))


def mean_of(updates: "Sequence[Update]", factors: Sequence[float] | None = None) -> "Tensors":
    """Return the mean of the updates, weighted by examples, read one update at a time.

    Args:
        updates: At least one.
        factors: What each delta is multiplied by, without changing its weight; none is 1.
    """
    mean = WeightedMean(updates[0].delta)
    for update, factor in zip(updates, factors or [1.0] * len(updates), strict=True):
        scaled = {name: tensor * factor for name, tensor in update.delta.items()}
        mean.add(scaled, update.examples)
    return mean.value()
