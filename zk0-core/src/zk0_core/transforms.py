"""What is done to every update between a client's training and the strategy, whatever the two are.

Transforms are applied in order: those of the client to what training changed, before its codec;
those of the server to what the codec gives back and admission took, before the strategy. Options
that every strategy has choose them.
"""

from typing import Protocol

import attrs

from zk0_core.plan import PluginChoice
from zk0_core.tensors import Tensors, as_arrays, norm


class UpdateTransform(Protocol):
    """A change to an update on its way."""

    def apply(self, delta: Tensors) -> Tensors:
        """Return the update to go on with; `delta` is left as it is."""
        ...


@attrs.frozen
class NormClip:
    """Scales an update whose norm exceeds a bound down to it.

    Sun et al. 2019, "Can You Really Backdoor Federated Learning?", section 4, and Abadi et al.
    2016, "Deep Learning with Differential Privacy", algorithm 1: Δ · min(1, bound / ‖Δ‖).
    """

    bound: float
    """Greatest Euclidean norm, over all tensors together; above 0."""

    def apply(self, delta: Tensors) -> Tensors:
        """Return `delta`, scaled where it is too long."""
        size = norm(delta)
        if size <= self.bound:
            return delta
        # In float64, in which no product of a value and a factor below 1 is lost too early.
        factor = self.bound / size
        return as_arrays(
            {
                name: (array.astype("float64") * factor).astype("float32")
                for name, array in delta.items()
            }
        )


def server_transforms(strategy: PluginChoice) -> tuple[UpdateTransform, ...]:
    """Return what the server does to an update before the strategy sees it."""
    bound = strategy.options.get("norm_clip")
    return () if bound is None else (NormClip(bound),)


def transformed(delta: Tensors, transforms: tuple[UpdateTransform, ...]) -> Tensors:
    """Return `delta` after each of `transforms`, in order."""
    for transform in transforms:
        delta = transform.apply(delta)
    return delta
