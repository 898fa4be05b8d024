"""Training examples of one dataset for one policy, with their pictures."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from zk0_core.data import RobotDataset
from zk0_core.lerobot.prefix_model import Batch
from zk0_core.lerobot.rows import Rows

Preprocess = Callable[[Batch], Batch]


class Chunks:
    """Where the examples of some episodes lie in a dataset of N frames.

    An example starts at any frame; its action chunk stops at the end of its episode, and the last
    action fills the rest, marked as padding, as LeRobot does it.
    """

    def __init__(
        self, dataset: RobotDataset, episodes: Sequence[int], offsets: Sequence[int]
    ) -> None:
        """Collect the frames of `episodes`; `offsets` are a chunk's steps from its frame."""
        wanted = set(episodes)
        chosen = [episode for episode in dataset.episodes if episode.index in wanted]
        lengths = [episode.stop - episode.start for episode in chosen]
        self.frames = np.concatenate([np.arange(e.start, e.stop) for e in chosen])
        """(number of examples,) frame of each example."""
        self._first = np.repeat([episode.start for episode in chosen], lengths)
        self._last = np.repeat([episode.stop - 1 for episode in chosen], lengths)
        self.tasks = np.repeat(np.array([e.task for e in chosen], dtype=object), lengths)
        self._offsets = np.asarray(offsets)

    def actions(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the frames of the chunks' actions, (B, C), and which are padding, (B, C)."""
        wanted = self.frames[indices][:, None] + self._offsets
        first, last = self._first[indices][:, None], self._last[indices][:, None]
        return np.clip(wanted, first, last), (wanted < first) | (wanted > last)

    def steps(self, indices: Sequence[int]) -> int:
        """Return how many steps of the chunks at `indices` are no padding."""
        padding = self.actions(np.asarray(indices))[1]
        return int(padding.size - padding.sum())


class PictureSource:
    """Examples with their pictures, for any policy."""

    def __init__(
        self,
        dataset: RobotDataset,
        chunks: Chunks,
        pictures: Mapping[str, Rows],
        preprocess: Preprocess,
        *,
        by_step: bool,
    ) -> None:
        """Serve `chunks`.

        Args:
            dataset: Where they lie.
            chunks: Which they are.
            pictures: (N, 3, H, W) uint8 by camera.
            preprocess: The policy's preprocessor.
            by_step: Whether the policy's loss is a mean over steps that are no padding.
        """
        self._dataset = dataset
        self._chunks = chunks
        self._pictures = pictures
        self._preprocess = preprocess
        self._by_step = by_step

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._chunks.frames)

    def counted(self, indices: Sequence[int]) -> int:
        """Return over how many steps, or examples, the loss of those at `indices` is a mean."""
        return self._chunks.steps(indices) if self._by_step else len(indices)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return a batch as the policy's own preprocessor gives it."""
        which = np.asarray(indices)
        frames = self._chunks.frames[which]
        actions, padding = self._chunks.actions(which)
        batch: Batch = {
            "observation.state": torch.from_numpy(self._dataset.state[frames]),
            "action": torch.from_numpy(self._dataset.action[actions]),
            "action_is_pad": torch.from_numpy(padding),
            "task": self._chunks.tasks[which].tolist(),
        }
        for camera, pictures in self._pictures.items():
            batch[camera] = unit_pictures(pictures[frames])
        return self._preprocess(batch)


def unit_pictures(pictures: np.ndarray) -> torch.Tensor:
    """Return uint8 pictures as float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).float() / 255


def observation(pictures: Mapping[str, Any], state: np.ndarray, tasks: Sequence[str]) -> Batch:
    """Return an observation as LeRobot's processors take it.

    Args:
        pictures: (B, height, width, 3) uint8 by camera.
        state: (B, S), in the dataset's units.
        tasks: B instructions.
    """
    batch: Batch = {
        "observation.state": torch.from_numpy(np.asarray(state, np.float32)),
        "task": list(tasks),
    }
    for camera, views in pictures.items():
        batch[camera] = unit_pictures(np.asarray(views).transpose(0, 3, 1, 2))
    return batch
