"""The Euclidean norm of the exchanged parameters: does the model grow without bounds?

Evaluators that compute more than this give functions of their own to `request.pool`, which runs
them in other processes.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zk0_core import EvaluationRequest
    from zk0_core.server.model import ModelRef


class WeightNorm:
    """Loads the model in a process of the pool, where a loaded policy is kept."""

    def evaluate(self, request: "EvaluationRequest") -> dict[str, Any]:
        """Return `weight_norm`."""
        (norm,) = request.pool.map(norm_of, [request.model])
        return {"weight_norm": norm}


def norm_of(model: "ModelRef") -> float:
    """Return the norm over all parameters of `model` that are exchanged."""
    from zk0_core.parameters import to_numpy
    from zk0_core.server.model import load_model
    from zk0_core.tensors import norm

    return norm(to_numpy(load_model(model).trainable()))
