"""Trends with losses whose differences are exact in binary: quarters, eighths."""

from collections.abc import Sequence

import pytest

from zk0_core import Span
from zk0_core.history import History, RoundRecord
from zk0_core.options import structure_options
from zk0_schedulers.trend import Trend, TrendOptions

BASE = Span.constant(1.0)
CAP = 1 / 1.05


def trend(**options: float) -> Trend:
    return Trend(structure_options(TrendOptions, options, path="scheduler"))


def factor(schedule: Trend, history: History) -> float:
    return schedule.value(len(history.rounds), BASE, history).start


def late(*losses: float | None, last: int = 30) -> History:
    """Return the history of so many losses that ends in round `last`."""
    first = last - len(losses) + 1
    return History(
        tuple(RoundRecord(round=first + n, policy_loss=loss) for n, loss in enumerate(losses))
    )


def test_nothing_happened() -> None:
    assert factor(trend(), History()) == 1.0


def test_too_few_losses_for_a_trend() -> None:
    assert factor(trend(), late(1.0, 1.0, 1.0, 1.0)) == 1.0


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        # Falls by half: neither stall nor divergence.
        ((1.0, 0.9, 0.8, 0.7, 0.5), 1.0),
        # Stays: a stall.
        ((1.0, 1.0, 1.0, 1.0, 1.0), 0.95),
        # Falls by 1/128, less than one in a hundred: a stall. By 1/64: none.
        ((1.0, 1.0, 1.0, 1.0, 0.9921875), 0.95),
        ((1.0, 1.0, 1.0, 1.0, 0.984375), 1.0),
        # Rises by a quarter: no divergence, so a stall.
        ((1.0, 1.0, 1.0, 1.0, 1.25), 0.95),
        # Rises by 0.75 of itself, but by 0.25 over the last three losses: a divergence.
        ((1.0, 1.25, 1.5, 1.5, 1.75), 1 / 1.05),
        # Rises by 0.75, all of it over the last three: a spike, which changes nothing.
        ((1.0, 1.0, 1.0, 1.0, 1.75), 1.0),
        # 8 to 10 is a spike as well: by a quarter it would be a stall, were it not for the guard.
        ((8.0, 8.0, 8.0, 9.0, 10.0), 1.0),
        # A small loss that triples is a divergence and no spike: the guard looks at differences.
        ((0.125, 0.125, 0.125, 0.25, 0.375), 1 / 1.05),
        # From zero, anything is a divergence: 0.25 / 1e-8.
        ((0.0, 0.0, 0.0, 0.0, 0.25), 1 / 1.05),
        # Stays at zero: 0 / 1e-8 is no improvement.
        ((0.0, 0.0, 0.0, 0.0, 0.0), 0.95),
    ],
)
def test_one_window(losses: Sequence[float], expected: float) -> None:
    assert factor(trend(), late(*losses)) == pytest.approx(expected, rel=1e-12)


def test_exactly_at_a_threshold_is_within() -> None:
    # Fell by exactly the share that is asked for: no stall.
    assert factor(trend(min_improvement=0.25), late(1.0, 1.0, 1.0, 1.0, 0.75)) == 1.0
    # Rose by exactly half: no divergence but a stall; by exactly 0.5 over three: no spike.
    assert factor(trend(), late(1.0, 1.0, 1.0, 1.25, 1.5)) == 0.95


def test_adjustments_accumulate() -> None:
    # Three windows of five equal losses among seven: three stalls.
    assert factor(trend(), late(*[1.0] * 7)) == pytest.approx(0.95**3)
    # A spike in between keeps what was there; then the window from 1 to 1.75 diverges twice and
    # is no spike any more once the last three are equal: 0.95, kept, kept, 0.95 / 1.05.
    spiked = late(1.0, 1.0, 1.0, 1.0, 1.0, 1.75, 1.75, 1.75)
    assert factor(trend(), late(*[1.0] * 5, 1.75, last=28)) == pytest.approx(0.95)
    assert factor(trend(), late(*[1.0] * 5, 1.75, 1.75, last=29)) == pytest.approx(0.95)
    assert factor(trend(), spiked) == pytest.approx(0.95 / 1.05)


def test_before_round_20_adjustments_are_capped(evaluated) -> None:
    # The fifth loss is that of round 4, and its adjustment takes effect in round 5. The stall's
    # 0.95 would go beyond 1 / 1.05 = 0.952….
    assert factor(trend(), evaluated(*[1.0] * 4)) == 1.0
    assert factor(trend(), evaluated(*[1.0] * 5)) == pytest.approx(CAP)
    # After round 18: adjustments for rounds 5 to 19, all of them capped.
    assert factor(trend(), evaluated(*[1.0] * 19)) == pytest.approx(CAP**15)
    # The one for round 20 is not.
    assert factor(trend(), evaluated(*[1.0] * 20)) == pytest.approx(CAP**15 * 0.95)


def test_a_wider_cap_lets_adjustments_through(evaluated) -> None:
    assert factor(trend(max_adjust_factor=1.25), evaluated(*[1.0] * 5)) == pytest.approx(0.95)
    # None at all: nothing is adjusted before round 20.
    assert factor(trend(max_adjust_factor=1), evaluated(*[1.0] * 19)) == 1.0


def test_a_strong_divergence_is_capped_too(evaluated) -> None:
    schedule = trend(divergence_factor=2, adjustment_window=2, spike_threshold=0.25)
    # 0.25 to 0.5 doubles, a divergence; two losses are too few for the spike guard.
    assert factor(schedule, evaluated(0.25, 0.5)) == pytest.approx(CAP)
    assert factor(schedule, late(0.25, 0.5)) == 0.5


def test_rounds_without_evaluation_leave_the_factor_alone() -> None:
    # Evaluated in every second round: a window of five losses spans nine rounds.
    pairs = [1.0, None] * 5
    assert factor(trend(), late(*pairs)) == 0.95
    assert factor(trend(), late(*pairs[:8])) == 1.0


def test_it_scales_the_span() -> None:
    base = Span(1.0, 0.5, 0.25, 0.5)
    assert trend().value(31, base, late(*[1.0] * 5)) == Span(0.95, 0.475, 0.25, 0.5)
