"""Local training: what one client does with its data in one round."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence

import attrs
import numpy as np
import torch

from zk0_core.protocols import BatchSource, CountingSource, Objective, Policy
from zk0_core.wire.orders import RoundOrder

MAX_GRAD_NORM = 10.0
"""Gradients, the strategy's term included, are clipped to this norm."""

START_BATCHES = 8
"""How many batches the loss before training is estimated over."""


@attrs.frozen(kw_only=True)
class Outcome:
    """Figures of one round of local training; losses and norms are means over its steps."""

    policy_loss: float
    prox_loss: float
    grad_norm: float
    lr: float
    """At the last step, as is mu."""
    mu: float
    seconds_data: float
    seconds_compute: float


def train_locally(
    policy: Policy,
    source: BatchSource,
    objective: Objective | None,
    optimizer: torch.optim.Optimizer,
    order: RoundOrder,
    batches: Iterator[Sequence[int]],
    noise: torch.Generator,
    on_step: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Take `order.local_steps` steps on `policy`, in place.

    Args:
        policy: The policy, at the round's global parameters.
        source: This client's training examples.
        objective: What the strategy adds to the loss, already started; None for nothing.
        optimizer: Over the policy's trainable parameters.
        order: Steps, learning rate and proximal weight.
        batches: Indices into `source`, one array a step.
        noise: Where the policy's loss draws its noise from.
        on_step: Called after each step, with how many are done and how many there are.
    """
    params = list(policy.trainable().values())
    device = torch.device(order.recipe.device).type
    losses, terms, norms = [], [], []
    lr = mu = seconds_data = 0.0
    started = time.perf_counter()
    policy.module.train()
    for step in range(order.local_steps):
        lr = order.lr.at(step, order.local_steps)
        mu = order.mu.at(step, order.local_steps)
        for group in optimizer.param_groups:
            group["lr"] = lr

        loss = torch.zeros((), device=order.recipe.device)
        for part, weight in in_parts(source, next(batches), order.recipe.gradient_accumulation):
            fetching = time.perf_counter()
            batch = source.batch(part)
            seconds_data += time.perf_counter() - fetching

            with torch.autocast(device, torch.bfloat16, enabled=order.recipe.amp):
                share = policy.loss(batch, noise) * weight
            share.backward()
            loss += share.detach()
        term = objective.gradient(mu) if objective else None
        grad_norm = torch.nn.utils.clip_grad_norm_(params, MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad()

        # Kept as tensors: reading a value would wait for the device at every step.
        losses.append(loss)
        norms.append(grad_norm.detach())
        if term is not None:
            terms.append(term.detach())
        if on_step:
            on_step(step + 1, order.local_steps)
    return Outcome(
        policy_loss=_mean(losses),
        prox_loss=_mean(terms),
        grad_norm=_mean(norms),
        lr=lr,
        mu=mu,
        seconds_data=seconds_data,
        seconds_compute=time.perf_counter() - started - seconds_data,
    )


def in_parts(
    source: BatchSource, indices: Sequence[int], count: int
) -> Iterator[tuple[Sequence[int], float]]:
    """Yield `indices` in `count` parts, or fewer, none larger than need be, with their weights.

    The mean loss of the whole is the sum of the parts' mean losses times their weights.
    """
    size = math.ceil(len(indices) / count)
    parts = [indices[start : start + size] for start in range(0, len(indices), size)]
    # Of a batch that stays whole nothing need be counted.
    counts = [_counted(source, part) for part in parts] if len(parts) > 1 else [1]
    for part, counted in zip(parts, counts, strict=True):
        yield part, counted / sum(counts)


def _counted(source: BatchSource, indices: Sequence[int]) -> int:
    return source.counted(indices) if isinstance(source, CountingSource) else len(indices)


def loss_before(
    policy: Policy, source: BatchSource, batches: Iterator[Sequence[int]], noise: torch.Generator
) -> float:
    """Return the policy's mean loss on `source`, estimated over START_BATCHES batches."""
    policy.module.eval()
    with torch.no_grad():
        return _mean(
            [
                policy.loss(source.batch(indices), noise)
                for indices in itertools.islice(batches, START_BATCHES)
            ]
        )


def shuffled_batches(frames: int, batch_size: int, seed: int) -> Iterator[Sequence[int]]:
    """Yield batches of indices below `frames` without end, each pass over them in new order.

    A batch may span two passes, so that every one has exactly `batch_size` indices.
    """
    generator = np.random.default_rng(seed)
    waiting: list[int] = []
    while True:
        while len(waiting) < batch_size:
            waiting += generator.permutation(frames).tolist()
        yield waiting[:batch_size]
        waiting = waiting[batch_size:]


def _mean(values: list[torch.Tensor]) -> float:
    # Apple's GPUs have no float64.
    return float(torch.stack(values).cpu().double().mean()) if values else 0.0
