"""What SmolVLA makes of every frame before training has a part in it, kept on disk.

Two things can be kept. The keys and values of the whole prefix leave the state token and the action
expert to a training step, and take the most room: 2.7 MB for a frame of two cameras with SmolVLA's
450 million parameters, as they are published. The pictures' embeddings leave the language model's
layers to do as well, and take a tenth. Both are kept as they were computed, to the bit; NumPy knows
no bfloat16, whose bits are kept as whole numbers.
"""

import contextlib
import functools
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import numpy as np
import torch

from zk0_core.cache import cache_folder
from zk0_core.data import Progress, RobotDataset
from zk0_core.disk import reserve
from zk0_core.errors import DataError
from zk0_core.files import build_folder
from zk0_core.lerobot.frames import every_picture
from zk0_core.lerobot.prefix_model import Batch, prefix_of, vision_of

if TYPE_CHECKING:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

MakeBatch = Callable[[dict[str, np.ndarray], np.ndarray], Batch]
"""From pictures by camera, (B, 3, H, W) uint8, and frame numbers to a preprocessed batch."""

LAYOUT = 5
"""Raised when what is on disk changes; part of a cache's name."""
CHECKED = 4
"""How many frames are tried before a cache is computed, and how many frames' pictures are kept
beside it, to compare it with at every start."""
_FRAMES = 32
"""How many frames are computed at once."""
_UNREADABLE = (FileNotFoundError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)
"""What reading fails with where files are cut off, damaged or gone."""


class Inexact(DataError):
    """A cache does not give what pictures give; training goes on without it."""


@attrs.frozen
class Kind:
    """One thing that can be kept of a frame."""

    name: str
    text: str
    """What errors call it."""
    compute: "Callable[[SmolVLAPolicy, Batch], tuple[torch.Tensor, dict[str, torch.Tensor]]]"
    """From a batch to what is kept on disk, (B, ...), and small things by name, (B, ...) each."""


def _prefix(policy: "SmolVLAPolicy", batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    values, mask = prefix_of(policy, batch)
    return values, {"mask": mask}


def _vision(policy: "SmolVLAPolicy", batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    embedded, cameras = vision_of(policy, batch)
    return embedded, {
        "cameras": cameras,
        "tokens": batch["observation.language.tokens"],
        "token_mask": batch["observation.language.attention_mask"].bool(),
    }


PREFIX = Kind("prefix", "keys and values of prefixes", _prefix)
VISION = Kind("vision", "embeddings of pictures", _vision)
KINDS = (PREFIX, VISION)
"""The fastest first."""


@attrs.frozen
class FrameCache:
    """What is kept of N frames."""

    values: np.ndarray
    """(N, ...) float32, float16, or the bits of bfloat16 as int16, on disk."""
    small: dict[str, np.ndarray]
    """(N, ...) each, in memory."""
    frames: np.ndarray
    """(K,) numbers of the frames whose pictures are there."""
    pictures: dict[str, np.ndarray]
    """(K, 3, H, W) uint8 by camera."""


@attrs.frozen
class CacheOf:
    """A cache of one dataset that is not joined, there or not."""

    kind: Kind
    policy: "SmolVLAPolicy"
    dataset: RobotDataset
    make_batch: MakeBatch
    """Prepares pictures and instructions for `policy`."""
    frozen: str
    """Fingerprint of the frozen weights."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        key = [
            LAYOUT,
            # Another kind of device adds in another order, or rounds more.
            torch.device(self.policy.config.device).type,
            self.dataset.fingerprint,
            self.frozen,
            self.cameras,
            _changes(tasks_of(self.dataset)),
            len(self.dataset.state),
        ]
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return cache_folder(self.kind.name, digest[:24])

    @property
    def cameras(self) -> list[str]:
        """The cameras that the policy looks at."""
        return list(self.policy.config.image_features)

    def size(self) -> int:
        """Return the bytes it takes, or will take: `tried` when it is not there.

        Raises:
            Inexact: if what was tried is no number.
        """
        with contextlib.suppress(*_UNREADABLE):
            return int(np.load(self.folder / "values.npy", mmap_mode="r").nbytes)
        return self.tried.values[0].nbytes * len(self.dataset.state)

    @functools.cached_property
    def tried(self) -> FrameCache:
        """What will be kept of the first frames: it tells much before all are computed."""
        frames, pictures = next(picture_batches(self.dataset, self.cameras, CHECKED))
        values, small = self.computed(pictures, frames)
        return FrameCache(
            kept(values), {n: t.cpu().numpy() for n, t in small.items()}, frames, pictures
        )

    def computed(
        self, pictures: dict[str, np.ndarray], frames: np.ndarray
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return what is to be kept of `frames`, (B, ...), and small things by name.

        Raises:
            Inexact: if a value is no number.
        """
        values, small = self.kind.compute(self.policy, self.make_batch(pictures, frames))
        if not torch.isfinite(values).all():
            raise Inexact(f"{self.dataset.uri}: {self.kind.text} have a NaN or an infinity")
        return values, small

    def load(self, progress: Progress | None = None) -> FrameCache:
        """Return the cache, computed where it is not there yet; safe for several processes.

        Raises:
            Inexact: if a value is no number, or what is there cannot be read.
            DataError: if the pictures don't match the frames.
            OSError: if the disk is full after all.
        """
        while True:
            folder = build_folder(self.folder, lambda part: _compute(part, self, progress))
            try:
                return _read(folder)
            except _UNREADABLE as problem:
                if folder.is_dir():
                    raise Inexact(
                        f"{self.dataset.uri}: cached {self.kind.text} cannot be read: {problem}"
                    ) from problem
                # Another process has just removed it.


def _read(folder: Path) -> FrameCache:
    # Opened here: of what is no archive, NumPy leaves the file open.
    with (folder / "small.npz").open("rb") as file:
        small = dict(np.load(file))
    with (folder / "checked.npz").open("rb") as file:
        pictures = dict(np.load(file))
    values = np.load(folder / "values.npy", mmap_mode="r")
    return FrameCache(values, small, pictures.pop("frames"), pictures)


def tasks_of(dataset: RobotDataset) -> np.ndarray:
    """Return the instruction that each frame is cached with, (N,) str objects.

    Frames of episodes that were not chosen have that of the first: clients that share one recording
    of one task share its cache.
    """
    tasks = np.full(len(dataset.state), dataset.episodes[0].task, dtype=object)
    for episode in dataset.episodes:
        tasks[episode.start : episode.stop] = episode.task
    return tasks


def _changes(tasks: np.ndarray) -> list[tuple[int, str]]:
    """Return where another instruction begins, and which."""
    starts = [0, *(np.flatnonzero(tasks[1:] != tasks[:-1]) + 1).tolist()]
    return [(start, tasks[start]) for start in starts]


def kept(computed: torch.Tensor) -> np.ndarray:
    """Return `computed` as it is kept."""
    bits = computed.view(torch.int16) if computed.dtype == torch.bfloat16 else computed
    array: np.ndarray = bits.cpu().numpy()
    return array


def as_computed(rows: np.ndarray) -> torch.Tensor:
    """Return what was computed, on the CPU and as it was, from what was kept of it."""
    bits = torch.from_numpy(rows)
    return bits.view(torch.bfloat16) if bits.dtype == torch.int16 else bits


def picture_batches(
    dataset: RobotDataset, cameras: list[str], size: int
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yield frame numbers and pictures, (B, 3, H, W) uint8 by camera, for up to `size` frames."""
    streams = [every_picture(dataset, camera) for camera in cameras]
    pending: list[tuple[np.ndarray, ...]] = []
    done = 0
    # Strict, so that two cameras with unequal numbers of pictures are not taken for one.
    for views in zip(*streams, strict=True):
        pending.append(views)
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


def _compute(folder: Path, cache: CacheOf, progress: Progress | None) -> None:
    """Fill `folder` with what is kept of every frame, and some frames' pictures."""
    dataset, total = cache.dataset, len(cache.dataset.state)
    values: np.ndarray | None = None
    small: dict[str, list[np.ndarray]] = {}
    checked = np.unique(np.linspace(0, total - 1, CHECKED).round().astype(int))
    pictured: dict[str, list[np.ndarray]] = {camera: [] for camera in cache.cameras}
    done = 0
    for frames, pictures in picture_batches(dataset, cache.cameras, _FRAMES):
        if frames[-1] >= total:
            raise DataError(f"{dataset.uri}: more pictures than its {total} frames")
        computed, besides = cache.computed(pictures, frames)
        rows = kept(computed)
        if values is None:
            file, shape = folder / "values.npy", (total, *rows.shape[1:])
            values = np.lib.format.open_memmap(file, mode="w+", dtype=rows.dtype, shape=shape)
            reserve(file, f"{cache.kind.text} of {dataset.uri}")
        values[frames] = rows
        for name, tensor in besides.items():
            small.setdefault(name, []).append(tensor.cpu().numpy())
        for camera, views in pictures.items():
            pictured[camera].append(views[np.isin(frames, checked)])
        done += len(frames)
        if progress:
            progress(f"{cache.kind.name} cache of {dataset.uri}", done, total)
    if values is None or done < total:
        raise DataError(f"{dataset.uri}: {done} pictures for {total} frames")
    cast(np.memmap, values).flush()
    np.savez(folder / "small.npz", **{name: np.concatenate(parts) for name, parts in small.items()})
    views_of = {camera: np.concatenate(parts) for camera, parts in pictured.items()}
    np.savez(folder / "checked.npz", frames=checked, **views_of)
