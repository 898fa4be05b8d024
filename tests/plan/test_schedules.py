"""Chains of schedules: folding, clamps, and what belongs to one client only."""

import attrs
import pytest

from zk0_core import Span
from zk0_core.errors import UsageError
from zk0_core.history import History, RoundRecord
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
    text = (
        r"Times gives nan to nan, at phases 0\.0 to 0\.0, in round 2; a schedule must give finite"
    )
    with pytest.raises(UsageError, match=text):
        lr_span(plan, (Times(float("nan")),), 2, NOTHING)


def test_a_phase_that_is_no_number_is_none_either(plan: RunPlan) -> None:
    class Endless:
        def value(self, *arguments: object) -> Span:
            return Span(1.0, 0.0, 0.0, float("inf"))

    with pytest.raises(UsageError, match=r"Endless gives 1\.0 to 0\.0, at phases 0\.0 to inf, in"):
        lr_span(plan, (Endless(),), 1, NOTHING)


def test_schedules_of_a_plan(resolve) -> None:
    plan = resolve(more='[[schedulers]]\nname = "warm-restarts"\nt_0 = 2\neta_min = 0.0\n')
    schedules = Schedules.of(plan)
    # Half of the cycle at the start of round 2: between lr = 1e-3 and 0, which the clamp moves up
    # to eta_min = 5e-7.
    assert schedules.lr(2, NOTHING).start == pytest.approx((1e-3 + 5e-7) / 2)
    assert schedules.lr(2, NOTHING, "left-desk").lo == plan.eta_min
    assert schedules.mu(2, NOTHING) == Span.constant(0.02)


CHAIN = """
[[schedulers]]
name = "warm-restarts"
[[schedulers]]
name = "trend"
[[schedulers]]
name = "adaptive-boost"
[[mu_schedulers]]
name = "decay"
[[mu_schedulers]]
name = "loss-spread"
"""


def test_a_chain_of_the_run_file_in_its_order(resolve) -> None:
    plan = resolve(more=CHAIN)
    assert [choice.name for choice in plan.schedulers] == [
        "warm-restarts",
        "trend",
        "adaptive-boost",
    ]
    stalled = History(tuple(RoundRecord(round=r, policy_loss=1.0) for r in range(5)))
    schedules = Schedules.of(plan)
    # The fifth loss makes a stall, capped at 1 / 1.05 before round 20; round 5 of 15 begins at
    # phase 4/15.
    span = schedules.lr(5, stalled)
    assert (span.hi, span.phase0, span.phase1) == (pytest.approx(1e-3 / 1.05), 4 / 15, 5 / 15)
    # 0.02 · 0.98², and no lower than 0.001.
    assert schedules.mu(3, NOTHING).start == pytest.approx(0.019208)
    assert schedules.mu(1000, NOTHING).start == 0.001


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (
            '[[schedulers]]\nname = "warm-restarts"\nt_mult = 1.2\n',
            "scheduler.t_mult must be a whole number ≥ 1, got 1.2; did you mean 1 or 2? "
            "(from run.toml)",
        ),
        (
            '[[schedulers]]\nname = "cosine"\neta_min = 2e-3\n',
            "scheduler.eta_min must be ≤ lr, got 0.002 with lr 0.001 (from run.toml)",
        ),
        (
            '[[schedulers]]\nname = "trend"\n[[schedulers]]\nname = "reduce-on-plateau"\n'
            "eta_min = 0.5\n",
            "scheduler.reduce-on-plateau.eta_min must be ≤ lr, got 0.5 with lr 0.001 "
            "(from run.toml)",
        ),
        (
            '[[schedulers]]\nname = "trend"\n[[schedulers]]\nname = "trend"\n',
            "scheduler 'trend' is chosen twice; keep one (from run.toml)",
        ),
        (
            '[[mu_schedulers]]\nname = "decay"\n[[mu_schedulers]]\nname = "decay"\n',
            "mu-scheduler 'decay' is chosen twice; keep one (from run.toml)",
        ),
        (
            '[[schedulers]]\nname = "adaptive-boost"\nboost = 2\n',
            "scheduler.boost is unknown; the choices are high_loss_multiplier, lr_boost_factor "
            "(from run.toml)",
        ),
        (
            '[[mu_schedulers]]\nname = "loss-spread"\nmu_mim = 0.1\n',
            "mu-scheduler.mu_mim is unknown; the choices are loss_std_threshold, "
            "mu_adjust_factor, mu_min; did you mean 'mu-scheduler.mu_min'? (from run.toml)",
        ),
    ],
)
def test_what_is_refused(resolve, more: str, error: str) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(more=more)
    assert str(refused.value) == error


def test_an_lr_scheduler_is_no_mu_scheduler(resolve) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(more='[[mu_schedulers]]\nname = "trend"\n')
    assert str(refused.value).startswith(
        "unknown mu-scheduler 'trend'; choose from constant, decay, loss-spread"
    )
    assert str(refused.value).endswith(" (from run.toml)")


def test_a_default_above_lr_is_refused_too(resolve) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(("lr = 1e-3", "lr = 1e-8\neta_min = 0.0"), more='[[schedulers]]\nname = "cosine"\n')
    assert str(refused.value) == "scheduler.eta_min must be ≤ lr, got 5e-07 with lr 1e-08"


def test_a_mu_scheduler_needs_a_strategy_with_mu(resolve) -> None:
    with pytest.raises(UsageError) as refused:
        resolve(
            ('name = "fedprox"\nmu = 0.02', 'name = "fedavg"'),
            more='[[mu_schedulers]]\nname = "decay"\n',
        )
    assert str(refused.value).startswith(
        "mu-scheduler 'decay' cannot be used with strategy 'fedavg', which has no mu; leave it "
        "out, or choose a strategy that has one: "
    )
    assert "fedprox" in str(refused.value)
