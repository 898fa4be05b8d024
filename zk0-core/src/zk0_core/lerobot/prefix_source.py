"""Training examples from cached prefixes, checked against the plain loss before they are used."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from loguru import logger

from zk0_core.data import Progress, RobotDataset
from zk0_core.errors import DataError
from zk0_core.joined import parts_of
from zk0_core.lerobot.cached_loss import cached_loss
from zk0_core.lerobot.examples import Chunks, PrefixSource, Preprocess, observation
from zk0_core.lerobot.flow import flow_draws
from zk0_core.lerobot.prefix_cache import (
    Batch,
    DiskFull,
    MakeBatch,
    PrefixCache,
    picture_batches,
    prefix_cache,
)

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

CHECK_TOLERANCE = 1e-4
"""Relative difference of loss up to which a prefix cache is taken for exact."""
_CHECKED_FRAMES = 4


def prefix_source(
    policy: "SmolVLAPolicy",
    preprocess: Preprocess,
    dataset: RobotDataset,
    chunks: Chunks,
    frozen: str,
    progress: Progress | None,
) -> PrefixSource | None:
    """Return examples from cached prefixes; None, with a warning, where that cannot be.

    Args:
        policy: One that `prefix_cache.obstacle` found nothing against.
        preprocess: Its preprocessor.
        dataset: Where the examples come from.
        chunks: Which they are.
        frozen: Fingerprint of the policy's frozen weights.
        progress: Told about the cache's computation.
    """
    parts = []
    # By part, so that what is joined shares its caches with what is not.
    for part in parts_of(dataset):
        try:
            parts.append(_checked(policy, preprocess, part, frozen, progress))
        except (DiskFull, _Inexact) as problem:
            logger.warning("{}; training from pictures, several times slower", problem)
            return None
    caches, states, actions = zip(*parts, strict=True)
    return PrefixSource(chunks, caches, torch.cat(states), torch.cat(actions), policy.config.device)


class _Inexact(DataError):
    """A cache does not give the loss that pictures give."""


def _checked(
    policy: "SmolVLAPolicy",
    preprocess: Preprocess,
    dataset: RobotDataset,
    frozen: str,
    progress: Progress | None,
) -> tuple[PrefixCache, torch.Tensor, torch.Tensor]:
    """Return the prefixes of a dataset that is not joined, its normalised states and actions.

    Raises:
        DiskFull: if there is no room for the prefixes.
        _Inexact: if they don't give the loss that pictures give.
    """
    make_batch = observations_of(policy, preprocess, dataset)
    cache = prefix_cache(policy, dataset, make_batch, frozen, progress)
    state, action = _normalised(policy, preprocess, dataset)
    plain, cached = _losses_both_ways(policy, dataset, cache, state, action, make_batch)
    if abs(plain - cached) > CHECK_TOLERANCE * abs(plain):
        raise _Inexact(
            f"{dataset.uri}: loss from cached prefixes is {cached:.6f}, from pictures {plain:.6f}"
        )
    return cache, state, action


def observations_of(
    policy: "SmolVLAPolicy", preprocess: Preprocess, dataset: RobotDataset
) -> MakeBatch:
    """Return a function from pictures and frame numbers to a batch without actions."""
    task_of = np.full(len(dataset.state), dataset.episodes[0].task, dtype=object)
    for episode in dataset.episodes:
        task_of[episode.start : episode.stop] = episode.task
    tokenizer = policy.model.vlm_with_expert.processor.tokenizer
    tasks = sorted({episode.task for episode in dataset.episodes})
    longest = max(tasks, key=lambda task: len(tokenizer(task)["input_ids"]))

    def make(pictures: dict[str, np.ndarray], frames: np.ndarray) -> Batch:
        # One row more, with the longest instruction, so that all batches are padded alike.
        which = np.append(frames, frames[-1])
        rows = {
            camera: np.concatenate([views, views[-1:]]).transpose(0, 2, 3, 1)
            for camera, views in pictures.items()
        }
        instructions = [*task_of[frames].tolist(), longest]
        batch = preprocess(observation(rows, dataset.state[which], instructions))
        return {n: v[:-1] if torch.is_tensor(v) else v for n, v in batch.items()}

    return make


def _normalised(
    policy: "SmolVLAPolicy", preprocess: Preprocess, dataset: RobotDataset
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return state and action of all frames, normalised and padded, on the CPU."""
    batch = preprocess(
        {
            "observation.state": torch.from_numpy(dataset.state),
            "action": torch.from_numpy(dataset.action),
            "task": [dataset.episodes[0].task],
        }
    )
    return policy.prepare_state(batch).cpu(), policy.prepare_action(batch).cpu()


@torch.no_grad()
def _losses_both_ways(
    policy: "SmolVLAPolicy",
    dataset: RobotDataset,
    cache: PrefixCache,
    state: torch.Tensor,
    action: torch.Tensor,
    make_batch: MakeBatch,
) -> tuple[float, float]:
    """Return the loss of the dataset's first frames from pictures and from the cache."""
    frames, pictures = next(
        picture_batches(dataset, list(policy.config.image_features), _CHECKED_FRAMES)
    )
    device, steps = policy.config.device, policy.config.chunk_size
    # A frame's own action serves for its whole chunk: what is compared are the prefixes.
    chunk = action[frames][:, None].expand(-1, steps, -1).to(device)
    noise, time = flow_draws(policy.config, len(frames), torch.Generator().manual_seed(0))
    noise, time = noise.to(device), time.to(device)
    batch = make_batch(pictures, frames)
    batch["action"] = chunk[..., : policy.config.action_feature.shape[0]]
    plain = policy.forward(batch, noise=noise, time=time)[0]
    cached = cached_loss(
        policy,
        torch.from_numpy(cache.values[frames]).to(device).float(),
        torch.from_numpy(cache.mask[frames]).to(device),
        state[frames].to(device),
        chunk,
        torch.ones(chunk.shape[:2], dtype=torch.bool, device=device),
        noise,
        time,
    )
    return float(plain), float(cached)
