"""Whose statistics a client normalises with, and a score is taken with."""

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from recordings import Recording, write_v3

from zk0_core.cache import limit_caches
from zk0_core.client.session import ClientSession
from zk0_core.data import FeatureSums, Statistics, evaluation_episodes, training_episodes
from zk0_core.engines.apps import recipe_of
from zk0_core.lerobot.families import TinySmolVLAFamily
from zk0_core.lerobot.stats import episode_sums
from zk0_core.parameters import to_numpy
from zk0_core.parts import open_dataset
from zk0_core.plan import ClientPlan, EvaluationPlan, PluginChoice
from zk0_core.server.evaluation import training_statistics
from zk0_core.tensors import Tensors
from zk0_core.testing import examples
from zk0_core.wire.orders import order_of_round_0

PLAN = examples.plan(batch_size=2, local_steps=1, cache_gb=0.0)


@pytest.fixture
def desk(tmp_path: Path) -> str:
    """Return the address of a recording of three episodes."""
    return f"local:{write_v3(tmp_path / 'desk', Recording(lengths=(5, 4, 6)))}"


def trained(uri: str, folder: Path, normalization: str, statistics: Statistics) -> Tensors:
    """Return the update of one step, ordered with `statistics`."""
    plan = attrs.evolve(PLAN, normalization=normalization)
    dataset = open_dataset(uri)
    policy = TinySmolVLAFamily().load(dataset.schema, statistics, seed=plan.seed, device="cpu")
    order = order_of_round_0(
        plan,
        run="test",
        recipe=recipe_of(plan),
        statistics=statistics,
        frozen=policy.frozen_fingerprint(),
    )
    session = ClientSession(ClientPlan("ann", uri), recipe_of(plan), folder / normalization)
    try:
        return session.train(attrs.evolve(order, round=1), to_numpy(policy.trainable()), {})[1]
    finally:
        limit_caches(None)


def same(one: Tensors, other: Tensors) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def shifted(sums: FeatureSums) -> FeatureSums:
    return attrs.evolve(sums, mean=tuple(m + 20 for m in sums.mean))


def test_a_client_uses_what_the_plan_says(desk: str, tmp_path: Path) -> None:
    dataset = open_dataset(desk)
    own = episode_sums(dataset, dataset.episodes)
    others = {name: shifted(sums) for name, sums in own.items()}
    pooled = trained(desk, tmp_path / "a", "pooled", others)
    per_client = trained(desk, tmp_path / "b", "per-client", others)
    assert not same(pooled, per_client)
    assert same(per_client, trained(desk, tmp_path / "c", "pooled", own))


def evaluation(uri: str) -> EvaluationPlan:
    return EvaluationPlan(uri, PluginChoice("evaluator", "policy-loss"))


def test_a_score_is_never_taken_with_held_out_episodes(desk: str) -> None:
    uri = f"{desk}?eval_episodes=1"
    dataset = open_dataset(uri)
    assert (len(training_episodes(dataset)), len(evaluation_episodes(dataset))) == (2, 1)
    found: Any = training_statistics(evaluation(uri))
    assert found == episode_sums(dataset, dataset.episodes[:2])


def test_nothing_is_left_where_all_is_held_out(desk: str) -> None:
    assert training_statistics(evaluation(f"{desk}?eval_episodes=3")) is None
