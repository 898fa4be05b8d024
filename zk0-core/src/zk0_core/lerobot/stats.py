"""Normalisation statistics: sums over episodes, pooled exactly over datasets."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from zk0_core.data import Episode, FeatureSums, RobotDataset, Statistics
from zk0_core.errors import DataError


def episode_sums(dataset: RobotDataset, episodes: Sequence[Episode]) -> Statistics:
    """Return the sums of state and action over the frames of `episodes`, in float64.

    Raises:
        DataError: if `episodes` is empty.
    """
    if not episodes:
        raise DataError(f"{dataset.uri}: no episodes to take statistics from")
    frames = np.concatenate([np.arange(episode.start, episode.stop) for episode in episodes])
    return {
        "observation.state": feature_sums(dataset.state[frames]),
        "action": feature_sums(dataset.action[frames]),
    }


def feature_sums(values: np.ndarray) -> FeatureSums:
    """Return the sums of `values`, (N, D) with N ≥ 1."""
    wide = values.astype(np.float64)
    mean = wide.mean(axis=0)
    return FeatureSums(
        count=len(wide),
        mean=tuple(mean.tolist()),
        m2=tuple(np.square(wide - mean).sum(axis=0).tolist()),
        min=tuple(wide.min(axis=0).tolist()),
        max=tuple(wide.max(axis=0).tolist()),
    )


def pool(statistics: Sequence[Statistics]) -> Statistics:
    """Return the sums over all of `statistics` together, as if of one dataset.

    Args:
        statistics: At least one; all with the same features and dimensions.
    """
    pooled = dict(statistics[0])
    for more in statistics[1:]:
        pooled = {name: _pool_two(pooled[name], more[name]) for name in pooled}
    return pooled


def _pool_two(a: FeatureSums, b: FeatureSums) -> FeatureSums:
    """Return the sums over both; Chan, Golub, LeVeque (1983), equation 2.1."""
    count = a.count + b.count
    mean_a, mean_b = np.array(a.mean), np.array(b.mean)
    shift = mean_b - mean_a
    m2 = np.array(a.m2) + np.array(b.m2) + np.square(shift) * (a.count * b.count / count)
    return FeatureSums(
        count=count,
        mean=tuple((mean_a + shift * (b.count / count)).tolist()),
        m2=tuple(m2.tolist()),
        min=tuple(np.minimum(a.min, b.min).tolist()),
        max=tuple(np.maximum(a.max, b.max).tolist()),
    )


def std(sums: FeatureSums) -> np.ndarray:
    """Return the population standard deviation, (D,) float64."""
    return np.sqrt(np.array(sums.m2) / sums.count)


def lerobot_stats(statistics: Statistics, cameras: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return `statistics` the way LeRobot's processors take them.

    Pictures get ImageNet's mean and deviation, as LeRobot's own training gives them by default.
    """
    stats: dict[str, dict[str, Any]] = {
        name: {
            "mean": np.array(sums.mean, np.float32),
            "std": std(sums).astype(np.float32),
            "min": np.array(sums.min, np.float32),
            "max": np.array(sums.max, np.float32),
        }
        for name, sums in statistics.items()
    }
    for camera in cameras:
        stats[camera] = {
            "mean": np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1),
            "std": np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1),
            "min": np.zeros((3, 1, 1), np.float32),
            "max": np.ones((3, 1, 1), np.float32),
        }
    return stats
