"""Every picture of a camera as one array on disk: each video is decoded once, in order."""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zk0_core.cache import cache_folder
from zk0_core.data import Progress, RobotDataset
from zk0_core.disk import reserve
from zk0_core.errors import DataError
from zk0_core.files import build_folder
from zk0_core.joined import parts_of
from zk0_core.lerobot.frame_room import made_room, mark_used

_PICTURES = 64
"""How many pictures are resized at once."""


def frame_memmap(
    dataset: RobotDataset,
    camera: str,
    size: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> np.memmap:
    """Return the pictures of `camera`, decoded at the first call and read from disk after.

    Args:
        dataset: N frames.
        camera: Feature name, such as `observation.images.top`.
        size: (height, width) to resize to, the way SmolVLA does it (its padding included) and
            rounded; None keeps the pictures as they are.
        progress: Told about decoding.

    Returns:
        (N, 3, height, width) uint8, read-only.

    Raises:
        DataError: if the video has fewer or more pictures than the dataset has frames, or there
            is no room for them, or what was decoded has been removed by hand.
        OSError: if the disk is full after all.
    """
    if size == tuple(dataset.schema.cameras[camera][:2]):
        size = None
    folder = _folder(dataset, camera, size)
    while True:
        build_folder(folder, lambda part: _decode(part, dataset, camera, size, progress))
        try:
            mark_used(folder)
            array = np.load(folder / "frames.npy", mmap_mode="r")
        except FileNotFoundError:
            if folder.is_dir():
                raise DataError(
                    f"{dataset.uri}: its decoded frames in {folder} are gone, though the folder is "
                    "there; remove it, and they are decoded anew"
                ) from None
            # Another process needed the room just now.
            continue
        assert isinstance(array, np.memmap)
        return array


def every_picture(dataset: RobotDataset, camera: str) -> Iterator[np.ndarray]:
    """Yield every picture of `camera` in frame order, as (height, width, 3) uint8.

    They are read from disk where they were decoded before and kept as they are, and else decoded
    here; none is kept.
    """
    for part in parts_of(dataset):
        folder = _folder(part, camera, None)
        try:
            mark_used(folder)
            kept = np.load(folder / "frames.npy", mmap_mode="r")
        except FileNotFoundError:
            yield from part.frames(camera)
            continue
        for picture in kept:
            yield picture.transpose(1, 2, 0)


def _folder(dataset: RobotDataset, camera: str, size: tuple[int, int] | None) -> Path:
    name = f"{dataset.fingerprint}\x1f{camera}\x1f{size}"
    return cache_folder("frames", hashlib.sha256(name.encode()).hexdigest()[:24])


def _decode(
    folder: Path,
    dataset: RobotDataset,
    camera: str,
    size: tuple[int, int] | None,
    progress: Progress | None,
) -> None:
    total = len(dataset.state)
    height, width = size or dataset.schema.cameras[camera][:2]
    file, shape = folder / "frames.npy", (total, 3, height, width)
    with made_room(folder.parent, math.prod(shape), dataset.uri):
        array = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        reserve(file, f"decoded frames of {dataset.uri}")
    pending: list[np.ndarray] = []
    done = 0
    for picture in dataset.frames(camera):
        pending.append(picture.transpose(2, 0, 1))
        if len(pending) < _PICTURES and done + len(pending) < total:
            continue
        if done + len(pending) > total:
            break
        array[done : done + len(pending)] = resized(np.stack(pending), size)
        done += len(pending)
        pending = []
        if progress:
            progress(f"decoding {camera} of {dataset.uri}", done, total)
    if done < total or pending:
        raise DataError(
            f"{dataset.uri}: {camera} has {'more' if pending else done} pictures "
            f"for {total} frames; record or download the videos again"
        )
    array.flush()


def resized(pictures: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Return `pictures`, (B, 3, H, W) uint8, in `size`, resized and padded as SmolVLA does."""
    if size is None or pictures.shape[2:] == size:
        return pictures
    import torch
    from lerobot.policies.common.vla_utils import resize_with_pad

    unit = torch.from_numpy(pictures).float() / 255
    small = resize_with_pad(unit, size[0], size[1], pad_value=0)
    return (small * 255).round().clamp(0, 255).to(torch.uint8).numpy()
