"""Which cache a dataset gets, checked against the plain loss before a step is taken from it."""

from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import torch
from loguru import logger

from zk0_core.cache import SPARE, cache_limit
from zk0_core.data import Progress, RobotDataset
from zk0_core.disk import free_bytes, is_full
from zk0_core.joined import parts_of
from zk0_core.lerobot.cached_source import CachedSource, Part
from zk0_core.lerobot.exactness import exact_cache
from zk0_core.lerobot.examples import Chunks, Preprocess, observation
from zk0_core.lerobot.prefix_cache import (
    KINDS,
    CacheOf,
    Inexact,
    MakeBatch,
    tasks_of,
)
from zk0_core.lerobot.prefix_model import Batch

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy


def prefix_source(
    policy: "SmolVLAPolicy",
    preprocess: Preprocess,
    dataset: RobotDataset,
    chunks: Chunks,
    frozen: str,
    progress: Progress | None,
) -> CachedSource | None:
    """Return examples from the fastest cache that fits; None, with a warning, where none can be.

    Args:
        policy: One that `prefix_model.obstacle` found nothing against.
        preprocess: Its preprocessor.
        dataset: Where the examples come from.
        chunks: Which they are.
        frozen: Fingerprint of the policy's frozen weights.
        progress: Told about the cache's computation.
    """
    # By part, so that what is joined shares its caches with what is not.
    parts = parts_of(dataset)
    makers = [observations_of(policy, preprocess, part) for part in parts]
    reasons = []
    for kind in KINDS if cache_limit() != 0 else ():
        wanted = [
            CacheOf(kind, policy, part, make, frozen)
            for part, make in zip(parts, makers, strict=True)
        ]
        try:
            reason = _no_room(wanted)
            if reason is None:
                return _checked_source(wanted, preprocess, chunks, progress)
        except Inexact as problem:
            reason = str(problem)
        except OSError as problem:
            # Whoever looked at the same moment has taken the room.
            if not is_full(problem):
                raise
            reason = str(problem)
        reasons.append(reason)
    if cache_limit() == 0:
        logger.info("{}: no cache, as cache_gb = 0 says", dataset.uri)
    else:
        logger.warning("{}; training from pictures, several times slower", "; ".join(reasons))
    return None


def _no_room(wanted: list[CacheOf]) -> str | None:
    """Return why the caches of a dataset's parts have no room, or None when they have."""
    sizes = [cache.size() for cache in wanted]
    limit, total = cache_limit(), sum(sizes)
    uri = " + ".join(cache.dataset.uri for cache in wanted)
    what = f"{uri}: {wanted[0].kind.text} take {total / 1e9:.2g} GB"
    if limit is not None and total > limit:
        return f"{what} and cache_gb leaves {limit / 1e9:.2g} GB for each dataset; give more"
    missing = sum(
        size for size, cache in zip(sizes, wanted, strict=True) if not cache.folder.is_dir()
    )
    free = free_bytes(wanted[0].folder)
    if missing and missing + SPARE > free:
        return (
            f"{what} and {free / 1e9:.1f} GB are free at {wanted[0].folder.parent}; "
            "free some, or name a larger disk with ZK0_CACHE"
        )
    return None


# By policy and the cache's folder, for as long as one of them is trained.
_parts: "WeakKeyDictionary[torch.nn.Module, WeakValueDictionary[Path, Part]]" = WeakKeyDictionary()


def _checked_source(
    wanted: list[CacheOf], preprocess: Preprocess, chunks: Chunks, progress: Progress | None
) -> CachedSource:
    """Return examples from the caches of a dataset's parts.

    Raises:
        Inexact: if one does not give the loss that pictures give.
    """
    parts = [_checked(each, preprocess, progress) for each in wanted]
    return CachedSource(wanted[0].kind, chunks, parts, wanted[0].policy.config.device)


def _checked(wanted: CacheOf, preprocess: Preprocess, progress: Progress | None) -> Part:
    """Return the cache of one part of a dataset, made where it is not there.

    Raises:
        Inexact: if it does not give the loss that pictures give.
    """
    known = _parts.setdefault(wanted.policy, WeakValueDictionary())
    if (part := known.get(wanted.folder)) is not None:
        return part
    state, action = _normalised(wanted.policy, preprocess, wanted.dataset)
    cache = exact_cache(wanted, state, action, progress)
    known[wanted.folder] = part = Part(cache, state, action)
    return part


def observations_of(
    policy: "SmolVLAPolicy", preprocess: Preprocess, dataset: RobotDataset
) -> MakeBatch:
    """Return a function from pictures and frame numbers to a batch without actions."""
    task_of = tasks_of(dataset)
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
