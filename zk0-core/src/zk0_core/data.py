"""What zk0 knows of a dataset: its schema, its normalisation sums, and the dataset itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import attrs
import numpy as np

Progress = Callable[[str, int, int], None]
"""Called as progress(what, done, total) on long work."""

TRAINING = "training"
"""What `Progress` is told the steps of a round are; all else comes before them."""


@attrs.frozen
class DatasetSchema:
    """What a dataset offers, without a frame of it; this is what preflight sends."""

    cameras: Mapping[str, tuple[int, int, int]]
    """Feature name (`observation.images.top`) to (height, width, channels)."""
    state: tuple[str, ...]
    """Joint names of `observation.state`, in order."""
    action: tuple[str, ...]
    """Joint names of `action`, in order."""
    fps: int
    tasks: tuple[str, ...]
    robot: str
    format: str
    """Format and version, such as "LeRobot v3.0"."""


@attrs.frozen
class Episode:
    """One recorded episode: frames [start, stop) of its dataset."""

    index: int
    start: int
    stop: int
    task: str
    hash: str
    """SHA-256 over states and actions; tells overlaps without showing data."""


class RobotDataset(Protocol):
    """A dataset as a loader opens it; N frames, S joints of state, A of action."""

    uri: str
    schema: DatasetSchema
    fingerprint: str
    """Hash of the content; caches made from the dataset are keyed by it."""
    episodes: Sequence[Episode]
    """Their frames may lie in any order, and frames may be there that belong to none."""
    held_out: int
    """How many episodes, the last ones, are for evaluation only."""
    state: np.ndarray  # (N, S) float32
    action: np.ndarray  # (N, A) float32

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield every picture of `camera` once, in frame order, as (height, width, 3) uint8."""
        ...


def training_episodes(dataset: RobotDataset) -> list[Episode]:
    """Return the episodes that may be trained on: all but those held out."""
    return list(dataset.episodes[: len(dataset.episodes) - dataset.held_out])


def evaluation_episodes(dataset: RobotDataset) -> list[Episode]:
    """Return the episodes that are held out."""
    return list(dataset.episodes[len(dataset.episodes) - dataset.held_out :])


@attrs.frozen
class FeatureSums:
    """Sums of one feature from which statistics over several datasets follow exactly.

    All are lists over the feature's D dimensions, but `count`. `m2` is the sum of squared
    deviations from `mean` (Chan et al. 1983).
    """

    count: int
    mean: tuple[float, ...]
    m2: tuple[float, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]


Statistics = dict[str, FeatureSums]
"""Feature name (`observation.state`, `action`) to its sums."""
