"""The policies that a process keeps loaded, each for all of its clients that train the same one.

A round sets every trainable parameter before it trains, so that it does not matter which client
trained last: a thousand simulated clients need one policy. They train one after the other.
"""

import time

import attrs
import torch
from loguru import logger

from zk0_core.data import DatasetSchema, Statistics
from zk0_core.parameters import to_numpy
from zk0_core.parts import build_policy_family
from zk0_core.personal import personal_patterns, split
from zk0_core.protocols import Policy
from zk0_core.tensors import Tensors
from zk0_core.wire.orders import Recipe

MAX_POLICIES = 32
"""Policies that a process keeps, of clients that each normalise with their own statistics; the
longest unused one makes room."""


@attrs.frozen(kw_only=True)
class LoadedPolicy:
    """A policy, and as it comes what a round does not set: personal parameters and buffers."""

    recipe: Recipe
    schema: DatasetSchema
    statistics: Statistics
    policy: Policy
    personal: Tensors
    buffers: dict[str, torch.Tensor]

    def restored(self) -> Policy:
        """Return the policy without what a client's training left in its buffers."""
        for name, value in self.buffers.items():
            self.policy.module.get_buffer(name).copy_(value)
        return self.policy


_loaded: list[LoadedPolicy] = []


def policy_for(recipe: Recipe, schema: DatasetSchema, statistics: Statistics) -> LoadedPolicy:
    """Return this process's policy for datasets like `schema`, loaded when there is none."""
    wanted = recipe, schema, statistics
    for kept in _loaded:
        if (kept.recipe, kept.schema, kept.statistics) == wanted:
            break
    else:
        kept = _load(*wanted)
    _loaded[:] = [kept, *(other for other in _loaded if other is not kept)][:MAX_POLICIES]
    return kept


def forget_policies() -> None:
    """Let go of all of them."""
    _loaded.clear()


def _load(recipe: Recipe, schema: DatasetSchema, statistics: Statistics) -> LoadedPolicy:
    started = time.perf_counter()
    family = build_policy_family(recipe.policy)
    policy = family.load(schema, statistics, seed=recipe.seed, device=recipe.device)
    logger.info("policy loaded in {:.1f} s", time.perf_counter() - started)
    _, personal = split(policy.trainable(), personal_patterns(recipe.strategy))
    return LoadedPolicy(
        recipe=recipe,
        schema=schema,
        statistics=statistics,
        policy=policy,
        personal=to_numpy(personal),
        buffers={name: buffer.clone() for name, buffer in policy.module.named_buffers()},
    )
