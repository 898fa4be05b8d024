"""Values worked out by hand: a cosine is half way at its middle."""

import pytest
from zk0_one_cycle.scheduler import OneCycle, OneCycleOptions

from zk0_core import Span
from zk0_core.history import History

SCHEDULE = OneCycle(OneCycleOptions(rounds=6, rise=2, start_factor=5, end_factor=10))


def rate(round: int, step: int = 0) -> float:
    """Return the rate at a step of two in a round, for a full rate of 1."""
    return SCHEDULE.value(round, Span.constant(1.0), History()).at(step, 2)


def test_up_over_two_rounds_and_down_over_four() -> None:
    """From 1/5 by (1/5 + 1) / 2 to 1, then by (1/10 + 1) / 2 to 1/10."""
    assert [rate(r) for r in (1, 2, 3, 5, 7)] == pytest.approx([0.2, 0.6, 1.0, 0.55, 0.1])


def test_no_jump_between_rounds() -> None:
    """Where step 2 of 2 would be, the next round begins."""
    assert [rate(r, 2) for r in range(1, 6)] == pytest.approx([rate(r) for r in range(2, 7)])
