"""Intervals against values worked out by hand."""

import numpy as np
import pytest

from zk0_core.intervals import crossed_bootstrap, wilson


def test_wilson_by_hand() -> None:
    # 8 of 10, z = 2: rate .8, spread 2 √(.016 + .01) = .32249, middle .8 + .2 = 1.0, scale 1.4.
    assert wilson(8, 10, z=2.0) == pytest.approx(((1 - 0.3224903) / 1.4, (1 + 0.3224903) / 1.4))


def test_wilson_stays_within_rates() -> None:
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == 1


def test_equal_values_leave_no_doubt() -> None:
    interval = crossed_bootstrap(np.full((3, 60), 0.25))
    assert (interval.low, interval.high) == pytest.approx((0.25, 0.25))


def test_one_seed_and_two_starts_by_hand() -> None:
    # Values 0 and 1: resampled means are 0, ½ and 1 with ¼, ½ and ¼, so that the 2.5 and 97.5 %
    # quantiles are the ends.
    interval = crossed_bootstrap(np.array([[0, 1]]))
    assert (interval.low, interval.high) == (0, 1)


def test_two_seeds_that_disagree_are_not_sure() -> None:
    # Each seed is sure of itself: only which seeds are drawn matters, with ¼, ½, ¼ again.
    interval = crossed_bootstrap(np.array([[0] * 50, [1] * 50]))
    assert (interval.low, interval.high) == (0, 1)


def test_one_seed_of_many_starts_is_near_the_normal_interval() -> None:
    # 200 starts at ½: standard error √(¼ / 200) = 0.03536, 1.96 of them 0.0693.
    interval = crossed_bootstrap(np.array([[0, 1] * 100]))
    assert interval.low == pytest.approx(0.5 - 0.0693, abs=0.01)
    assert interval.high == pytest.approx(0.5 + 0.0693, abs=0.01)


def test_pairing_removes_what_both_share() -> None:
    # One is better at every start by the same, however hard the start: no doubt about that.
    random = np.random.default_rng(0)
    hard = random.integers(0, 2, size=(3, 60))
    interval = crossed_bootstrap((hard + 1) - hard)
    assert (interval.low, interval.high) == pytest.approx((1, 1))
