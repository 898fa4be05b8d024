import pytest

from zk0_core import Span
from zk0_core.history import History
from zk0_core.options import structure_options
from zk0_schedulers.adaptive_boost import AdaptiveBoost, AdaptiveBoostOptions

BASE = Span(1.0, 0.5, 0.25, 0.5)
BOOSTED = Span(1.15, 0.575, 0.25, 0.5)


def boosts(schedule: AdaptiveBoost, history: History, *clients: str | None) -> list[bool]:
    spans = [schedule.value(len(history.rounds), BASE, history, client) for client in clients]
    assert all(span in (BASE, BOOSTED) for span in spans)
    return [span == BOOSTED for span in spans]


def boost(**options: float) -> AdaptiveBoost:
    return AdaptiveBoost(structure_options(AdaptiveBoostOptions, options, path="scheduler"))


def test_nothing_happened() -> None:
    assert boosts(boost(), History(), None, "a") == [False, False]


def test_above_twice_the_others_mean(trained) -> None:
    # The others of c have (1 + 2) / 2 = 1.5 on the mean: 3.5 is above 3. Those of a and b have
    # more than they themselves.
    assert boosts(boost(), trained({"a": 1.0, "b": 2.0, "c": 3.5}), "a", "b", "c") == [
        False,
        False,
        True,
    ]


def test_exactly_at_the_threshold_is_not_above(trained) -> None:
    assert boosts(boost(), trained({"a": 1.0, "b": 2.0, "c": 3.0}), "c") == [False]
    assert boosts(boost(), trained({"a": 1.0, "b": 1.0}), "a", "b") == [False, False]


def test_one_client_has_nobody_to_lag_behind(trained) -> None:
    assert boosts(boost(), trained({"a": 9.0}), "a") == [False]


def test_a_client_without_a_known_loss(trained) -> None:
    assert boosts(boost(), trained({"a": 1.0, "b": 9.0}), "new", None) == [False, False]


def test_the_last_known_loss_counts(trained) -> None:
    history = trained({"a": 1.0, "b": 1.0}, {"b": 3.0}, {"a": 1.0})
    # b was away in round 3 and keeps its 3.0 of round 2, above 2 · 1.
    assert boosts(boost(), history, "a", "b") == [False, True]


def test_boosts_do_not_accumulate(trained) -> None:
    history = trained({"a": 1.0, "b": 3.0}, {"a": 1.0, "b": 3.0}, {"a": 1.0, "b": 3.0})
    assert boosts(boost(), history, "b") == [True]


def test_other_options(trained) -> None:
    schedule = boost(high_loss_multiplier=1, lr_boost_factor=2)
    history = trained({"a": 1.0, "b": 1.5})
    assert schedule.value(2, Span.constant(1.0), history, "b") == Span.constant(2.0)
    assert schedule.value(2, Span.constant(1.0), history, "a") == Span.constant(1.0)


@pytest.mark.parametrize("client", ["a", "b", None])
def test_the_history_is_left_as_it_was(trained, client: str | None) -> None:
    history = trained({"a": 1.0, "b": 3.0})
    first = boost().value(2, BASE, history, client)
    assert boost().value(2, BASE, history, client) == first
