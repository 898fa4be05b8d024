"""Local training in bfloat16 where that is safe."""

from typing import Any

import attrs
import pytest
import torch

from zk0_core.client.optimizer import adamw
from zk0_core.client.trainer import Outcome, shuffled_batches, train_locally
from zk0_core.plan import PluginChoice
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


def trained(policy: Watched, amp: bool) -> Outcome:
    order = round_order(PluginChoice("strategy", "fedavg"))
    order = attrs.evolve(order, recipe=attrs.evolve(order.recipe, amp=amp))
    source = examples.TinySource()
    batches = shuffled_batches(len(source), 4, seed=0)
    optimizer = adamw(policy.trainable())
    noise = torch.Generator().manual_seed(0)
    return train_locally(policy, source, None, optimizer, order, batches, noise)


@pytest.mark.parametrize(("amp", "computed"), [(False, torch.float32), (True, torch.bfloat16)])
def test_only_what_is_computed_is_bfloat16(amp: bool, computed: torch.dtype) -> None:
    policy = Watched()
    trained(policy, amp)
    assert policy.seen == {computed}
    assert {param.dtype for param in policy.trainable().values()} == {torch.float32}


def test_the_loss_is_nearly_that_of_float32() -> None:
    """bfloat16 has eight bits of mantissa: 0.4 % of a value."""
    exact, rounded = (trained(Watched(), amp).policy_loss for amp in (False, True))
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.02)
