"""Whether a cache gives what pictures give: compared at every start; if not, it is made anew."""

from pathlib import Path

import numpy as np
import torch
from loguru import logger

from zk0_core.data import Progress
from zk0_core.files import remove_built
from zk0_core.lerobot.cached_loss import cached_loss, with_prefix
from zk0_core.lerobot.cached_source import within
from zk0_core.lerobot.flow import flow_draws
from zk0_core.lerobot.prefix_cache import CacheOf, FrameCache, Inexact, as_computed, kept

TOLERANCE = 1e-5
"""Relative difference of loss up to which a cache is taken for exact: a sum over more frames at
once may be taken in another order."""
ROUGH_TOLERANCE = 2e-3
"""The same where weights are bfloat16: another order may tip a sum to its other neighbour."""
GROSSLY = 10
"""Times the tolerance, beyond which a cache is not even begun."""


def exact_cache(
    wanted: CacheOf, state: torch.Tensor, action: torch.Tensor, progress: Progress | None
) -> FrameCache:
    """Return the cache of one dataset, made where it is not there.

    One that was there and is not exact is made anew, once, if something else would be computed now:
    it was damaged, or other versions compute it otherwise.

    Args:
        wanted: Which cache.
        state: (N, max_state_dim), all frames' normalised states.
        action: (N, max_action_dim), likewise.
        progress: Told about the computation.

    Raises:
        Inexact: if it does not give the loss that pictures give.
    """
    tolerance = _tolerance(wanted)
    made = _made(wanted.folder)
    cache: FrameCache | None = None
    if made is not None:
        try:
            cache = wanted.load(progress)
            _require_exact(wanted, cache, state, action, tolerance)
            return cache
        except Inexact as problem:
            if cache is not None and _is_computed_so(wanted, cache, tolerance):
                raise
            logger.warning("{}; the cache is made anew", problem)
            # Unless another process, which saw the same, has done it meanwhile.
            remove_built(wanted.folder, lambda: _made(wanted.folder) == made)
    if not wanted.folder.is_dir():
        # What is far off shows on few frames, before all videos are decoded for it.
        _require_exact(wanted, wanted.tried, state, action, GROSSLY * tolerance)
    cache = wanted.load(progress)
    _require_exact(wanted, cache, state, action, tolerance)
    return cache


def _is_computed_so(of: CacheOf, cache: FrameCache, tolerance: float) -> bool:
    """Return whether what is kept of the frames whose pictures are there would be kept again.

    Then another policy's loss may well be exact, or none is, and a new cache would change neither.
    """
    values, small = of.computed(cache.pictures, cache.frames)
    now = as_computed(kept(values)).double()
    then = as_computed(cache.values[cache.frames]).double()
    alike = all(
        np.array_equal(cache.small[name][cache.frames], tensor.cpu().numpy())
        for name, tensor in small.items()
    )
    return alike and float((now - then).norm()) <= tolerance * float(now.norm())


def _made(folder: Path) -> int | None:
    """Return when the files in `folder` were written; None if it is not there."""
    try:
        return max((file.stat().st_mtime_ns for file in folder.iterdir()), default=0)
    except FileNotFoundError:
        return None


def _tolerance(wanted: CacheOf) -> float:
    whole = all(param.dtype == torch.float32 for param in wanted.policy.parameters())
    return TOLERANCE if whole else ROUGH_TOLERANCE


def _require_exact(
    of: CacheOf,
    cache: FrameCache,
    state: torch.Tensor,
    action: torch.Tensor,
    tolerance: float,
) -> None:
    """Raise Inexact if the loss from `cache` is not that from the pictures beside it."""
    plain, cached = _losses_both_ways(of, cache, state, action)
    # The other way round, a NaN would pass.
    if not abs(plain - cached) <= tolerance * abs(plain):
        raise Inexact(
            f"{of.dataset.uri}: loss from cached {of.kind.text} is {cached:.6f}, from "
            f"pictures {plain:.6f}"
        )


@torch.no_grad()
def _losses_both_ways(
    of: CacheOf, cache: FrameCache, state: torch.Tensor, action: torch.Tensor
) -> tuple[float, float]:
    """Return the loss of some frames, from all over the dataset, from pictures and the cache."""
    policy, frames = of.policy, cache.frames
    device, steps = policy.config.device, policy.config.chunk_size
    # A frame's own action serves for its whole chunk: what is compared are the prefixes. Chunks end
    # early, each at another step, as some do in training.
    padding = np.arange(steps) > steps - 1 - np.arange(len(frames))[:, None] % steps
    chunk = action[frames][:, None].expand(-1, steps, -1).to(device)
    noise, time = flow_draws(policy.config, len(frames), torch.Generator().manual_seed(0))
    noise, time = noise.to(device), time.to(device)
    batch = of.make_batch(cache.pictures, frames)
    batch["action"] = chunk[..., : policy.config.action_feature.shape[0]]
    batch["action_is_pad"] = torch.from_numpy(padding).to(device)
    plain = policy.forward(batch, noise=noise, time=time)[0]
    small = {name: torch.from_numpy(rows[frames]).to(device) for name, rows in cache.small.items()}
    cached = {
        of.kind.name: as_computed(cache.values[frames]).to(device).float(),
        **small,
        "state": state[frames].to(device),
        "actions": chunk,
        "steps": within(padding, device),
    }
    ours = cached_loss(policy, **with_prefix(policy, cached), noise=noise, time=time)
    return float(plain), float(ours)
