"""Policies that clients of one process share."""

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import torch

from zk0_core.client import policies
from zk0_core.data import FeatureSums
from zk0_core.engines.apps import recipe_of
from zk0_core.plan import PluginChoice
from zk0_core.testing import examples

SCHEMA = examples.dataset(held_out=0).schema
STATISTICS = {"action": FeatureSums(1, (0.0,), (0.0,), (0.0,), (0.0,))}
OTHER = {"action": FeatureSums(1, (1.0,), (0.0,), (1.0,), (1.0,))}


class Normed:
    """Counts its batches in a buffer; its weight starts at the number of policies before it."""

    def __init__(self, weight: int) -> None:
        self.module = torch.nn.BatchNorm1d(1)
        torch.nn.init.constant_(self.module.weight, weight)

    def trainable(self) -> dict[str, Any]:
        return dict(self.module.named_parameters())


class Family:
    def __init__(self) -> None:
        self.loaded = 0

    def load(self, schema: object, statistics: object, **named: object) -> Normed:
        self.loaded += 1
        return Normed(self.loaded - 1)


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Iterator[Family]:
    family = Family()
    monkeypatch.setattr(policies, "build_policy_family", lambda choice: family)
    policies.forget_policies()
    yield family
    policies.forget_policies()


def recipe(**options: Any) -> Any:
    strategy = PluginChoice("strategy", "fedavg", options)
    return recipe_of(examples.plan(strategy=strategy))


def test_one_policy_serves_all_who_train_alike(family: Family) -> None:
    first = policies.policy_for(recipe(), SCHEMA, STATISTICS)
    assert policies.policy_for(recipe(), attrs.evolve(SCHEMA), dict(STATISTICS)) is first
    assert policies.policy_for(recipe(), SCHEMA, OTHER) is not first
    assert policies.policy_for(recipe(), SCHEMA, STATISTICS) is first
    assert family.loaded == 2


def test_the_longest_unused_makes_room(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "MAX_POLICIES", 2)
    third = {"action": FeatureSums(1, (2.0,), (0.0,), (2.0,), (2.0,))}
    for statistics in (STATISTICS, OTHER, STATISTICS, third, STATISTICS):
        policies.policy_for(recipe(), SCHEMA, statistics)
    assert family.loaded == 3
    policies.policy_for(recipe(), SCHEMA, OTHER)
    assert family.loaded == 4


def test_nothing_of_one_client_is_there_for_the_next(family: Family) -> None:
    """Its buffers are put back; personal parameters are kept as the policy came with them."""
    loaded = policies.policy_for(recipe(personal=["weight"]), SCHEMA, STATISTICS)
    module = loaded.restored().module
    module(torch.tensor([[3.0], [5.0]]))
    torch.nn.init.constant_(module.weight, 9.0)
    assert (int(module.num_batches_tracked), float(module.running_mean)) == (1, pytest.approx(0.4))
    module = loaded.restored().module
    assert (int(module.num_batches_tracked), float(module.running_mean)) == (0, 0.0)
    assert loaded.personal["weight"].tolist() == [0.0]
