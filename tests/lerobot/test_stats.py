import numpy as np
import pytest

from zk0_core.data import FeatureSums
from zk0_core.errors import DataError
from zk0_core.lerobot.stats import episode_sums, feature_sums, pool, std


def test_sums_by_hand():
    sums = feature_sums(np.array([[1.0], [2.0], [6.0]], np.float32))
    # Mean 3; deviations -2, -1, 3; squares 4 + 1 + 9.
    assert sums == FeatureSums(count=3, mean=(3.0,), m2=(14.0,), min=(1.0,), max=(6.0,))


def test_pooling_by_hand():
    a = {"action": FeatureSums(count=1, mean=(0.0,), m2=(0.0,), min=(0.0,), max=(0.0,))}
    b = {"action": FeatureSums(count=3, mean=(4.0,), m2=(8.0,), min=(2.0,), max=(6.0,))}
    pooled = pool([a, b])["action"]
    # 0, 2, 4, 6: mean 3, squares of -3, -1, 1, 3.
    assert pooled == FeatureSums(count=4, mean=(3.0,), m2=(20.0,), min=(0.0,), max=(6.0,))
    assert std(pooled) == pytest.approx(np.sqrt(5.0))


def test_pooling_equals_the_concatenation():
    random = np.random.default_rng(1)
    parts = [random.normal(7, 3, size=(n, 6)).astype(np.float32) for n in (1, 50, 999)]
    pooled = pool([{"action": feature_sums(part)} for part in parts])["action"]
    whole = feature_sums(np.concatenate(parts))
    assert pooled.count == whole.count
    np.testing.assert_allclose(pooled.mean, whole.mean, rtol=1e-6)
    np.testing.assert_allclose(pooled.m2, whole.m2, rtol=1e-6)
    assert (pooled.min, pooled.max) == (whole.min, whole.max)


def test_pooling_one_changes_nothing():
    only = {"action": feature_sums(np.ones((4, 2), np.float32))}
    assert pool([only]) == only


def test_only_the_given_episodes_count(dataset):
    middle = dataset.episodes[1:2]
    sums = episode_sums(dataset, middle)["action"]
    assert sums.count == middle[0].stop - middle[0].start == 9
    expected = dataset.action[middle[0].start : middle[0].stop].mean(axis=0)
    np.testing.assert_allclose(sums.mean, expected, rtol=1e-5)


def test_no_episodes(dataset):
    with pytest.raises(DataError, match="no episodes to take statistics from"):
        episode_sums(dataset, [])
