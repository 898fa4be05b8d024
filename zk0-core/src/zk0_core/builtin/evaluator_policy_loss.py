"""The policy's loss on held-out episodes, with the same noise and times at every evaluation."""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from zk0_core.records import EvaluatorPlugin, NoOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from zk0_core.protocols import BatchSource, EvaluationRequest, Policy
    from zk0_core.server.model import ModelRef

# By policy, dataset and rename map: a process keeps its policy and only swaps its parameters.
_sources: "WeakKeyDictionary[torch.nn.Module, dict[Any, tuple[BatchSource, int]]]" = (
    WeakKeyDictionary()
)


class PolicyLoss:
    """Evaluates in one process of the pool; two evaluations of one model give one number."""

    def evaluate(self, request: "EvaluationRequest") -> dict[str, Any]:
        """Return `policy_loss`, and how many `episodes` and `frames` it is over."""
        item = request.model, request.dataset, request.rename
        (figures,) = request.pool.map(_loss_on, [item])
        return figures


def _loss_on(item: "tuple[ModelRef, str, Mapping[str, str]]") -> dict[str, Any]:
    from zk0_core.fixed_loss import fixed_loss
    from zk0_core.server.model import load_model

    model, uri, rename = item
    policy = load_model(model)
    sources = _sources.setdefault(policy.module, {})
    key = uri, *sorted(rename.items())
    if key not in sources:
        sources[key] = _held_out(policy, uri, rename)
    source, episodes = sources[key]
    return {
        "policy_loss": fixed_loss(policy, source, model.recipe.device),
        "episodes": episodes,
        "frames": len(source),
    }


def _held_out(policy: "Policy", uri: str, rename: "Mapping[str, str]") -> "tuple[BatchSource, int]":
    """Return the frames of the held-out episodes of `uri`, and how many episodes they are."""
    from zk0_core.data import evaluation_episodes
    from zk0_core.logs import ShownProgress
    from zk0_core.parts import open_dataset

    dataset = open_dataset(uri, rename)
    episodes = evaluation_episodes(dataset)
    policy.check(dataset.schema, f"evaluation dataset {uri}")
    indices = [episode.index for episode in episodes]
    return policy.source(dataset, indices, ShownProgress()), len(episodes)


def build(options: NoOptions) -> PolicyLoss:
    """Return the evaluator."""
    return PolicyLoss()


PLUGIN = EvaluatorPlugin(
    name="policy-loss",
    summary="The policy's loss on held-out episodes, with fixed noise",
    build=build,
)
