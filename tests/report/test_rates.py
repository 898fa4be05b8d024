"""Rates, their means and differences, against published and hand-worked figures."""

import pytest

from zk0_core.intervals import Interval, wilson
from zk0_core.report.rates import Rate, change, combined, of_dataset, of_datasets, parts_of


def counted(successes: int, rollouts: int) -> Rate:
    return Rate(successes / rollouts, Interval(*wilson(successes, rollouts)))


@pytest.mark.parametrize(
    ("after", "before", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table II, method 10, contrasts (a), (c), (h).
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_newcombes(
    after: tuple[int, int], before: tuple[int, int], low: float, high: float
) -> None:
    found = change("", counted(*before), counted(*after)).difference
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_a_mean_recovers_each_variance() -> None:
    """Halves: √(0.15² + 0.2²) = 0.25 below, √(0.2² + 0.15²) = 0.25 above, around 0.5."""
    found = combined(((0.5, Rate(0.4, Interval(0.1, 0.8))), (0.5, Rate(0.6, Interval(0.2, 0.9)))))
    assert found.value == 0.5
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((0.25, 0.75))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (Rate(0.0, Interval(0.0, 0.1)), Rate(0.5, Interval(0.4, 0.6)), "better"),
        (Rate(0.5, Interval(0.4, 0.6)), Rate(0.0, Interval(0.0, 0.1)), "worse"),
        (Rate(0.5, Interval(0.4, 0.6)), Rate(0.5, Interval(0.4, 0.6)), "unsure"),
        (Rate(0.5), Rate(0.5, Interval(0.4, 0.6)), "unknown"),
        (None, Rate(0.5, Interval(0.4, 0.6)), "unknown"),
    ],
)
def test_a_change_is_only_called_what_its_interval_shows(
    before: Rate | None, after: Rate, verdict: str
) -> None:
    assert change("", before, after).verdict == verdict


def test_a_rate_needs_neither_interval_nor_count() -> None:
    assert of_dataset({"name": "a", "policy_loss": 1.0}) is None
    assert of_dataset({"success_rate": None}) is None
    assert of_dataset({"success_rate": 0.25}) == Rate(0.25)
    assert of_dataset(
        {"success_rate": 0.35, "success_interval": [0.1, 0.6], "rollouts": 20}
    ) == Rate(0.35, Interval(0.1, 0.6), 7, 20)


def test_several_datasets_are_averaged() -> None:
    assert of_datasets([{"policy_loss": 1.0}]) is None
    assert of_datasets([{"success_rate": 0.25}, {"policy_loss": 1.0}]) == Rate(0.25)
    assert of_datasets([{"success_rate": 0.25}, {"success_rate": 0.75}]) == Rate(0.5)


def test_parts_of_several_datasets_are_added_up() -> None:
    one = {"regions": {"left": {"successes": 1, "rollouts": 2}}, "note": {"a": 1}}
    other = {
        "regions": {"left": {"successes": 2, "rollouts": 2}},
        "tasks": {"stack": {"successes": 0, "rollouts": 5}},
        "empty": {"never": {"successes": 0, "rollouts": 0}},
    }
    found = parts_of([one, other])
    assert list(found) == ["regions", "tasks"]
    left = found["regions"]["left"]
    assert (left.value, left.successes, left.rollouts) == (0.75, 3, 4)
    assert left.interval == Interval(*wilson(3, 4))
