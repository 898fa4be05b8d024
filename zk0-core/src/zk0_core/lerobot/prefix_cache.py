"""SmolVLA's image-and-language prefix, computed once per frame and kept on disk.

The prefix tokens never attend to the state token or the actions, so that their keys and values
in every layer depend on frozen weights only. A training step then runs the state token and the
action expert alone, and gives the same loss (to the cache's float16). This holds while the whole
vision-language model is frozen and pictures are not augmented.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch

from zk0_core.cache import cache_folder
from zk0_core.data import Progress, RobotDataset
from zk0_core.errors import DataError
from zk0_core.files import build_folder

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

Batch = dict[str, Any]
MakeBatch = Callable[[dict[str, np.ndarray], np.ndarray], Batch]
"""From pictures by camera, (B, 3, H, W) uint8, and frame numbers to a preprocessed batch."""

_FRAMES = 32
"""How many frames' prefixes are computed at once."""
_SPARE = 2 * 1024**3
"""Bytes of disk that a cache leaves free."""


class DiskFull(DataError):
    """A cache would leave too little disk; training goes on without it."""


@attrs.frozen
class PrefixCache:
    """Keys and values of N frames in L layers: S tokens, of width D over all their heads."""

    values: np.ndarray
    """(N, L, 2, S, D) float16: keys, then values."""
    mask: np.ndarray
    """(N, S) bool: which tokens are no padding."""


def obstacle(policy: "torch.nn.Module") -> str | None:
    """Return why the prefix of `policy` cannot be kept, or None when it can."""
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    if not isinstance(policy, SmolVLAPolicy):
        return "only SmolVLA has a frozen prefix"
    config = policy.config
    if not config.train_expert_only:
        return "train_expert_only is off, so the vision-language model is trained too"
    if config.attention_mode != "cross_attn" or config.prefix_length > 0:
        return "attention_mode or prefix_length is not SmolVLA's default"
    if config.adapt_to_pi_aloha or config.compile_model or config.use_peft:
        return "adapt_to_pi_aloha, compile_model or use_peft is on"
    return None


def prefix_cache(
    policy: "SmolVLAPolicy",
    dataset: RobotDataset,
    make_batch: MakeBatch,
    frozen: str,
    progress: Progress | None = None,
) -> PrefixCache:
    """Return the prefixes of all N frames of `dataset`, from disk where they have been computed.

    Args:
        policy: `obstacle` found none for it.
        dataset: Its pictures are read once, in order.
        make_batch: Prepares pictures and instructions for `policy`.
        frozen: Fingerprint of the frozen weights.
        progress: Told about the computation.

    Raises:
        DiskFull: if the cache would leave too little disk.
        DataError: if the pictures don't match the frames.
    """
    cameras = list(policy.config.image_features)
    tasks = [(episode.start, episode.task) for episode in dataset.episodes]
    key = json.dumps([dataset.fingerprint, frozen, cameras, tasks, len(dataset.state)])
    folder = cache_folder("prefix", hashlib.sha256(key.encode()).hexdigest()[:24])

    def build(part: Path) -> None:
        _compute(part, policy, dataset, make_batch, cameras, progress)

    build_folder(folder, build)
    return PrefixCache(np.load(folder / "prefix.npy", mmap_mode="r"), np.load(folder / "mask.npy"))


def picture_batches(
    dataset: RobotDataset, cameras: list[str], size: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield frame numbers and pictures, (B, 3, H, W) uint8 by camera, for up to `size` frames."""
    streams = [dataset.frames(camera) for camera in cameras]
    pending: list[tuple[np.ndarray, ...]] = []
    done = 0
    # Strict, so that two cameras with unequal numbers of pictures are not taken for one.
    for pictures in zip(*streams, strict=True):
        pending.append(pictures)
        if len(pending) == size:
            yield _stacked(done, pending, cameras)
            done += len(pending)
            pending = []
    if pending:
        yield _stacked(done, pending, cameras)


def _stacked(
    start: int, pending: list[tuple[np.ndarray, ...]], cameras: list[str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    frames = np.arange(start, start + len(pending))
    by_camera = {
        camera: np.stack([pictures[i].transpose(2, 0, 1) for pictures in pending])
        for i, camera in enumerate(cameras)
    }
    return frames, by_camera


def _compute(
    folder: Path,
    policy: "SmolVLAPolicy",
    dataset: RobotDataset,
    make_batch: MakeBatch,
    cameras: list[str],
    progress: Progress | None,
) -> None:
    total = len(dataset.state)
    values = masks = None
    done = 0
    for frames, pictures in picture_batches(dataset, cameras, _FRAMES):
        prefix, mask = prefix_of(policy, make_batch(pictures, frames))
        if values is None or masks is None:
            shape = (total, *prefix.shape[1:])
            needed, free = 2 * int(np.prod(shape)), shutil.disk_usage(folder).free
            if needed + _SPARE > free:
                raise DiskFull(
                    f"{dataset.uri}: a prefix cache takes {needed / 1e9:.1f} GB and "
                    f"{free / 1e9:.1f} GB are free at {folder.parent}; "
                    "free some, or name a larger disk with ZK0_CACHE"
                )
            values = np.lib.format.open_memmap(
                folder / "prefix.npy", mode="w+", dtype=np.float16, shape=shape
            )
            masks = np.zeros((total, mask.shape[1]), np.bool_)
        if frames[-1] >= total:
            raise DataError(f"{dataset.uri}: more pictures than its {total} frames")
        values[frames] = prefix.to(torch.float16).cpu().numpy()
        masks[frames] = mask.cpu().numpy()
        done += len(frames)
        if progress:
            progress("prefix cache", done, total)
    if values is None or masks is None or done < total:
        raise DataError(f"{dataset.uri}: {done} pictures for {total} frames")
    values.flush()
    np.save(folder / "mask.npy", masks)


@torch.no_grad()
def prefix_of(policy: "SmolVLAPolicy", batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Return keys and values, (B, L, 2, S, D), and mask, (B, S), of a batch's prefixes."""
    from lerobot.policies.common.vla_utils import make_att_2d_masks

    images, image_masks = policy.prepare_images(batch)
    embedded, mask, attention = policy.model.embed_prefix(
        images,
        image_masks,
        batch["observation.language.tokens"],
        batch["observation.language.attention_mask"],
        state=policy.prepare_state(batch),
    )
    # The last token is the state's, the only one that trained weights have a part in.
    embedded, mask, attention = embedded[:, :-1], mask[:, :-1], attention[:, :-1]
    _, cache = policy.model.vlm_with_expert.forward(
        attention_mask=make_att_2d_masks(mask, attention),
        position_ids=torch.cumsum(mask, dim=1) - 1,
        past_key_values=None,
        inputs_embeds=[embedded, None],
        use_cache=True,
    )
    # Layers keep (B, heads, S, D / heads).
    layers = [
        torch.stack([layer.keys.transpose(1, 2), layer.values.transpose(1, 2)], dim=1)
        for layer in cache.layers
    ]
    return torch.stack(layers, dim=1).flatten(start_dim=4), mask
