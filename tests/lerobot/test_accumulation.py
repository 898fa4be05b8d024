"""A step of SmolVLA in parts of its batch, some of whose chunks end early."""

import attrs
import numpy as np
import pytest
import torch

from zk0_core.client.trainer import train_locally
from zk0_core.lerobot import policies
from zk0_core.lerobot.examples import Chunks
from zk0_core.lerobot.flow import flow_draws
from zk0_core.plan import PluginChoice
from zk0_core.span import Span
from zk0_core.testing.loopback import round_order

BATCH = [0, 11, 10, 20, 21, 22]
"""The second part's chunks are whole, but for one; those of the first end early, one at once."""


class Gradient:
    """A strategy's half that looks at the gradient of the whole step."""

    def __init__(self, params: dict[str, torch.nn.Parameter]) -> None:
        self._params = params
        self.seen: dict[str, torch.Tensor] = {}

    def gradient(self, mu: float) -> None:
        self.seen = {name: param.grad.clone() for name, param in self._params.items()}


def gradient(policy, source, parts: int, monkeypatch) -> tuple[float, dict[str, torch.Tensor]]:
    """Return loss and gradient of one step, every example with the same noise in any parts."""
    config = policy.module.config
    noise, time = flow_draws(config, len(BATCH), torch.Generator().manual_seed(5))
    given = iter(range(len(BATCH)))

    def rows(config, count: int, generator) -> tuple[torch.Tensor, torch.Tensor]:
        which = [next(given) for _ in range(count)]
        return noise[which], time[which]

    monkeypatch.setattr(policies, "flow_draws", rows)
    order = round_order(PluginChoice("strategy", "fedavg"))
    recipe = attrs.evolve(order.recipe, gradient_accumulation=parts)
    order = attrs.evolve(order, recipe=recipe, local_steps=1)
    half = Gradient(policy.trainable())
    # It steps by nothing, so that both start from the same weights.
    optimizer = torch.optim.SGD(policy.trainable().values(), lr=0.0)
    order = attrs.evolve(order, lr=Span.constant(0.0))
    policy.module.zero_grad()
    batches, generator = iter([BATCH]), torch.Generator()
    outcome = train_locally(policy, source, half, optimizer, order, batches, generator)
    return outcome.policy_loss, half.seen


@pytest.mark.parametrize("kind", ["source", "picture_source"])
@pytest.mark.parametrize("parts", [2, 6])
def test_it_has_the_gradient_of_the_whole(policy, dataset, monkeypatch, kind, parts) -> None:
    source = getattr(policy, kind)(dataset, [0, 1, 2])
    loss, expected = gradient(policy, source, 1, monkeypatch)
    seen_loss, seen = gradient(policy, source, parts, monkeypatch)
    # float32 sums in another order: some processors' kernels differ by more than 1e-6.
    assert seen_loss == pytest.approx(loss, rel=1e-5)
    for name, whole in expected.items():
        assert float((seen[name] - whole).norm()) <= 1e-5 * float(whole.norm()), name


def test_steps_by_hand(dataset) -> None:
    """Episodes of 12, 9 and 20 frames, chunks of 4: at their ends 3, 2 and 1 are left."""
    chunks = Chunks(dataset, [0, 1, 2], np.arange(4))
    assert [chunks.steps([i]) for i in (0, 8, 9, 10, 11, 12, 20, 40)] == [4, 4, 3, 2, 1, 4, 1, 1]
    assert chunks.steps([0, 11, 10]) == 7
