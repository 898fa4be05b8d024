"""Schedules of the proximal weight."""

import pytest

from zk0_core import Span
from zk0_core.history import History
from zk0_core.options import structure_options
from zk0_schedulers.decay import Decay, DecayOptions
from zk0_schedulers.loss_spread import LossSpread, LossSpreadOptions

BASE = Span.constant(0.5)


def spread(**options: float) -> LossSpread:
    return LossSpread(structure_options(LossSpreadOptions, options, path="mu-scheduler"))


def mu(schedule: LossSpread, history: History, base: Span = BASE) -> float:
    return schedule.value(len(history.rounds), base, history).start


def test_decay_begins_with_the_second_round() -> None:
    schedule = Decay(DecayOptions())
    # 0.5 · 0.98 = 0.49, 0.5 · 0.9604 = 0.4802
    found = [schedule.value(round, BASE, History()).start for round in (1, 2, 3)]
    assert found == pytest.approx([0.5, 0.49, 0.4802])


def test_decay_by_another_factor() -> None:
    schedule = Decay(DecayOptions(factor=0.5))
    assert [schedule.value(round, BASE, History()).start for round in (1, 4)] == [0.5, 0.0625]
    assert Decay(DecayOptions(factor=1)).value(9, BASE, History()) == BASE


def test_decay_does_not_look_at_the_history(evaluated) -> None:
    schedule = Decay(DecayOptions())
    assert schedule.value(3, BASE, evaluated(1.0, 2.0)) == schedule.value(3, BASE, History())


def test_nothing_happened() -> None:
    assert mu(spread(), History()) == 0.5


def test_raised_after_a_round_of_large_spread(trained) -> None:
    # Mean 2.25, population standard deviation 1.25 (that of a sample would be 1.77).
    assert mu(spread(), trained({"a": 1.0, "b": 3.5})) == pytest.approx(0.525)
    # Standard deviation 1: below 1.2, where that of a sample, 1.41, would be above.
    assert mu(spread(), trained({"a": 1.0, "b": 3.0})) == 0.5


def test_exactly_at_the_threshold_is_not_above(trained) -> None:
    history = trained({"a": 1.0, "b": 3.0})
    assert mu(spread(loss_std_threshold=1), history) == 0.5
    assert mu(spread(loss_std_threshold=0.99), history) == pytest.approx(0.525)
    # Equal losses have no spread at all.
    assert mu(spread(loss_std_threshold=0), trained({"a": 1.0, "b": 1.0})) == 0.5


def test_one_client_has_no_spread(trained) -> None:
    assert mu(spread(loss_std_threshold=0), trained({"a": 9.0})) == 0.5


def test_only_the_last_round_counts_and_nothing_accumulates(trained) -> None:
    wide, narrow = {"a": 0.0, "b": 4.0}, {"a": 1.0, "b": 1.0}
    assert mu(spread(), trained(wide, wide, wide)) == pytest.approx(0.525)
    assert mu(spread(), trained(wide, narrow)) == 0.5
    # A round that nobody took part in tells nothing.
    assert mu(spread(), trained(wide, {})) == 0.5


def test_mu_min_is_the_floor(trained) -> None:
    wide = trained({"a": 0.0, "b": 4.0})
    assert mu(spread(), History(), Span.constant(0.0005)) == 0.001
    # 0.00098 · 1.05 = 0.001029
    assert mu(spread(), wide, Span.constant(0.00098)) == pytest.approx(0.001029)
    assert mu(spread(), History(), Span.constant(0.0)) == 0.001
    assert mu(spread(mu_min=0), wide, Span.constant(0.0)) == 0.0
