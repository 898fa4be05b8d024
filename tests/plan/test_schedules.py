"""Chains of schedules: folding, clamps, and what belongs to one client only."""

import attrs
import pytest

from zk0_core import Span
from zk0_core.errors import UsageError
from zk0_core.history import History
from zk0_core.plan import RunPlan
from zk0_core.schedules import Schedules, lr_span, mu_span


class Times:
    """Multiplies; for the client `only`, if one is named."""

    def __init__(self, factor: float, only: str | None = None) -> None:
        self._factor, self._only = factor, only

    def value(
        self, round: int, base: Span, history: History, client: str | None = None
    ) -> Span | float:
        return base.scaled(self._factor) if self._only in (None, client) else base


class Plain:
    """Gives a plain number."""

    def value(
        self, round: int, base: Span, history: History, client: str | None = None
    ) -> Span | float:
        return base.start + round


@pytest.fixture
def plan(resolve) -> RunPlan:
    plan: RunPlan = resolve()
    return attrs.evolve(plan, lr=1.0, eta_min=0.1, lr_max=0.0)


NOTHING = History()


def test_without_schedules_the_base_value(plan: RunPlan) -> None:
    assert lr_span(plan, (), 1, NOTHING) == Span.constant(1.0)
    assert mu_span(plan, (), 1, NOTHING) == Span.constant(0.02)


def test_each_takes_what_the_one_before_gave(plan: RunPlan) -> None:
    # (1 + 3) · 2 in round 3, and 1 · 2 + 3 the other way round.
    assert lr_span(plan, (Plain(), Times(2)), 3, NOTHING) == Span.constant(8.0)
    assert lr_span(plan, (Times(2), Plain()), 3, NOTHING) == Span.constant(5.0)


def test_a_boost_is_for_one_client(plan: RunPlan) -> None:
    chain = (Times(2), Times(1.5, only="slow"))
    assert lr_span(plan, chain, 1, NOTHING).start == 2.0
    assert lr_span(plan, chain, 1, NOTHING, "quick").start == 2.0
    assert lr_span(plan, chain, 1, NOTHING, "slow").start == 3.0


def test_clamps_stand_at_the_end_of_the_chain(plan: RunPlan) -> None:
    assert lr_span(plan, (Times(0.01),), 1, NOTHING).start == 0.1
    assert lr_span(plan, (Times(0.01), Times(50)), 1, NOTHING).start == 0.5
    # Ten times the base value, where the plan sets no highest one.
    assert lr_span(plan, (Times(100),), 1, NOTHING).start == 10.0
    assert lr_span(attrs.evolve(plan, lr_max=4.0), (Times(100),), 1, NOTHING).start == 4.0


def test_mu_is_never_negative_and_zero_without_mu(plan: RunPlan) -> None:
    assert mu_span(plan, (Times(-1),), 1, NOTHING).start == 0.0
    without = attrs.evolve(plan, strategy=attrs.evolve(plan.strategy, name="fedavg", options={}))
    assert mu_span(without, (), 1, NOTHING) == Span.constant(0.0)


def test_a_schedule_that_gives_no_number_is_named(plan: RunPlan) -> None:
    with pytest.raises(UsageError, match=r"Times gives nan to nan in round 2; a schedule must"):
        lr_span(plan, (Times(float("nan")),), 2, NOTHING)


def test_schedules_of_a_plan(resolve) -> None:
    plan = resolve(more='[[schedulers]]\nname = "warm-restarts"\nt_0 = 2\neta_min = 0.0\n')
    schedules = Schedules.of(plan)
    # Half of the cycle at the start of round 2: between lr = 1e-3 and 0, which the clamp moves up
    # to eta_min = 5e-7.
    assert schedules.lr(2, NOTHING).start == pytest.approx((1e-3 + 5e-7) / 2)
    assert schedules.lr(2, NOTHING, "left-desk").lo == plan.eta_min
    assert schedules.mu(2, NOTHING) == Span.constant(0.02)
