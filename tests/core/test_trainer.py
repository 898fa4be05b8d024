"""Local training: in bfloat16 where that is safe, and in parts of a batch."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import torch

from zk0_core.client.optimizer import adamw
from zk0_core.client.trainer import Outcome, in_parts, shuffled_batches, train_locally
from zk0_core.plan import PluginChoice
from zk0_core.span import Span
from zk0_core.testing import examples
from zk0_core.testing.loopback import round_order


class Watched(examples.TinyPolicy):
    """Remembers in what its predictions were computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def loss(self, batch: dict[str, Any], generator: Any) -> Any:
        self.seen.add(self.module(batch["x"]).dtype)
        return super().loss(batch, generator)


def trained(policy: examples.TinyPolicy, **recipe: Any) -> Outcome:
    order = round_order(PluginChoice("strategy", "fedavg"))
    order = attrs.evolve(order, recipe=attrs.evolve(order.recipe, **recipe))
    source = examples.TinySource()
    batches = shuffled_batches(len(source), 5, seed=0)
    optimizer = adamw(policy.trainable())
    noise = torch.Generator().manual_seed(0)
    return train_locally(policy, source, None, optimizer, order, batches, noise)


@pytest.mark.parametrize(("amp", "computed"), [(False, torch.float32), (True, torch.bfloat16)])
def test_only_what_is_computed_is_bfloat16(amp: bool, computed: torch.dtype) -> None:
    policy = Watched()
    trained(policy, amp=amp)
    assert policy.seen == {computed}
    assert {param.dtype for param in policy.trainable().values()} == {torch.float32}


def test_the_loss_is_nearly_that_of_float32() -> None:
    """bfloat16 has eight bits of mantissa: 0.4 % of a value."""
    exact, rounded = (trained(Watched(), amp=amp).policy_loss for amp in (False, True))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("count", "parts"),
    [
        (1, [([3, 1, 4, 1, 5], 1.0)]),
        (2, [([3, 1, 4], 0.6), ([1, 5], 0.4)]),
        (3, [([3, 1], 0.4), ([4, 1], 0.4), ([5], 0.2)]),
        (9, [([3], 0.2), ([1], 0.2), ([4], 0.2), ([1], 0.2), ([5], 0.2)]),
    ],
)
def test_parts_of_a_batch_by_hand(count: int, parts: list[Any]) -> None:
    assert list(in_parts(examples.TinySource(), [3, 1, 4, 1, 5], count)) == parts


class Stepped(examples.TinySource):
    """Example i has i + 1 steps."""

    def counted(self, indices: Sequence[int]) -> int:
        return sum(indices) + len(indices)


def test_a_part_weighs_as_much_as_its_loss_is_a_mean_over() -> None:
    """Of 4 + 2 + 5, 2 + 6 steps: 11 and 8 of 19."""
    parts = list(in_parts(Stepped(), [3, 1, 4, 1, 5], 2))
    assert parts == [([3, 1, 4], 11 / 19), ([1, 5], 8 / 19)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_step_in_parts_is_the_same_step(count: int) -> None:
    """Of batches of 5, in parts of 3 and 2, of 2, 2 and 1: each weighs as much as it is long."""
    whole, parts = examples.TinyPolicy(), examples.TinyPolicy()
    expected = trained(whole)
    seen = trained(parts, gradient_accumulation=count)
    assert seen.policy_loss == pytest.approx(expected.policy_loss, rel=1e-6)
    for name, param in parts.trainable().items():
        torch.testing.assert_close(param, whole.trainable()[name], rtol=1e-5, atol=1e-7)


def test_every_step_has_the_rate_and_the_weight_of_its_order() -> None:
    rates: list[float] = []
    weights: list[float] = []

    class Watching(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    class Half:
        def gradient(self, mu: float) -> None:
            weights.append(mu)

    policy: Any = examples.TinyPolicy()
    half: Any = Half()
    lr, mu = Span(1.0, 0.2, 0.25, 0.75), Span(0.5, 0.1, 0.0, 1.0)
    order = round_order(PluginChoice("strategy", "fedavg"))
    train_locally(
        policy,
        examples.TinySource(),
        half,
        Watching(policy.trainable().values(), lr=9.0),
        attrs.evolve(order, lr=lr, mu=mu, local_steps=4),
        shuffled_batches(12, 4, seed=0),
        torch.Generator().manual_seed(0),
    )
    # 0.2 + 0.8 · (1 + cos(π · φ)) / 2 at φ = 1/4, 3/8, 1/2, 5/8, and 0.1 + 0.4 · … at 0, 1/4, …
    assert rates == pytest.approx([0.882843, 0.753073, 0.6, 0.446927], abs=1e-6)
    assert weights == pytest.approx([0.5, 0.441421, 0.3, 0.158579], abs=1e-6)
