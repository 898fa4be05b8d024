"""Values worked out by hand: cos(0) = 1, cos(π/3) = 0.5, cos(π/2) = 0, cos(2π/3) = −0.5."""

import pytest

from zk0_core import PluginError, Span
from zk0_core.history import History
from zk0_core.options import structure_options
from zk0_schedulers.constant import Constant
from zk0_schedulers.cosine import Cosine, CosineOptions
from zk0_schedulers.warm_restarts import WarmRestarts, WarmRestartsOptions

BASE = Span.constant(1.0)
NOTHING = History()


def restarts(**options: float) -> WarmRestarts:
    return WarmRestarts(structure_options(WarmRestartsOptions, options, path="scheduler"))


def test_constant_gives_what_it_gets() -> None:
    span = Span(1.0, 0.5, 0.2, 0.4)
    assert Constant().value(7, span, NOTHING) == span


@pytest.mark.parametrize("round", [1, 2, 50])
def test_cosine_falls_within_every_round(round: int) -> None:
    span = Cosine(CosineOptions(eta_min=0.2)).value(round, BASE, NOTHING)
    # 0.2 + 0.8 · (1 + cos(π s / 6)) / 2 at s = 0, 2, 3, 4.
    assert [span.at(step, 6) for step in (0, 2, 3, 4)] == pytest.approx([1.0, 0.8, 0.6, 0.4])


def test_cosine_reaches_eta_min_where_the_next_step_would_be() -> None:
    assert Cosine(CosineOptions(eta_min=0.2)).value(1, BASE, NOTHING).at(6, 6) == pytest.approx(0.2)


@pytest.mark.parametrize("schedule", [Cosine(CosineOptions(eta_min=2.0)), restarts(eta_min=2.0)])
def test_a_base_below_eta_min_stays(schedule: Cosine | WarmRestarts) -> None:
    span = schedule.value(1, BASE, NOTHING)
    assert [span.at(step, 4) for step in range(4)] == [1.0, 1.0, 1.0, 1.0]


def test_warm_restarts_over_three_rounds() -> None:
    schedule = restarts(t_0=3, t_mult=1, eta_min=0.0)
    starts = [schedule.value(round, BASE, NOTHING).start for round in range(1, 6)]
    # (1 + cos(π t / 3)) / 2 at t = 0, 1, 2, and again from the restart on.
    assert starts == pytest.approx([1.0, 0.75, 0.25, 1.0, 0.75])


def test_warm_restarts_run_on_inside_a_round() -> None:
    schedule = restarts(t_0=3, eta_min=0.0)
    first, second = (schedule.value(round, BASE, NOTHING) for round in (1, 2))
    # Step 1 of 2 in round 2 stands at t = 1.5, half of the cycle: (1 + cos(π/2)) / 2 = 0.5.
    assert second.at(1, 2) == pytest.approx(0.5)
    # No jump from one round to the next.
    assert first.at(10, 10) == pytest.approx(second.at(0, 10))


def test_a_restart_falls_on_a_rounds_start() -> None:
    schedule = restarts(t_0=2, t_mult=1, eta_min=0.0)
    assert schedule.value(2, BASE, NOTHING).at(2, 2) == pytest.approx(0.0)
    assert schedule.value(3, BASE, NOTHING).at(0, 2) == 1.0


def test_each_cycle_is_t_mult_times_longer() -> None:
    schedule = restarts(t_0=1, t_mult=2, eta_min=0.0)
    at_base = [r for r in range(1, 20) if schedule.value(r, BASE, NOTHING).start == 1.0]
    # Cycles of 1, 2, 4, 8 rounds.
    assert at_base == [1, 2, 4, 8, 16]
    # The middle of the third cycle, round 6 at step 0: t − t0 = 2 of 4.
    assert schedule.value(6, BASE, NOTHING).start == pytest.approx(0.5)


def test_a_base_scales_the_cycle() -> None:
    schedule = restarts(t_0=2, eta_min=0.2)
    # 0.2 + (0.6 − 0.2) / 2 = 0.4
    assert schedule.value(2, Span.constant(0.6), NOTHING).start == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"t_mult": 1.2},
            "scheduler.t_mult must be a whole number ≥ 1, got 1.2; did you mean 1 or 2?",
        ),
        ({"t_mult": 0}, "scheduler.t_mult must be ≥ 1, got 0"),
        ({"t_0": 0}, "scheduler.t_0 must be ≥ 1, got 0"),
        ({"eta_min": -1e-6}, "scheduler.eta_min must be ≥ 0, got -1e-06"),
    ],
)
def test_options_out_of_range(options: dict[str, float], text: str) -> None:
    with pytest.raises(PluginError) as refused:
        restarts(**options)
    assert str(refused.value) == text


@pytest.mark.parametrize(("t_0", "t_mult", "rounds"), [(15, 2, 106), (4, 1, 20), (3, 3, 39)])
def test_warm_restarts_as_torch_has_them_at_every_local_step(
    t_0: int, t_mult: int, rounds: int
) -> None:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, T_0=t_0, T_mult=t_mult, eta_min=5e-7
    )
    optimizer.step()  # torch warns unless one comes first
    schedule, steps = restarts(t_0=t_0, t_mult=t_mult, eta_min=5e-7), 20
    for round in range(1, rounds + 1):
        span = schedule.value(round, BASE, NOTHING)
        for step in range(steps):
            theirs.step(round - 1 + step / steps)
            expected = optimizer.param_groups[0]["lr"]
            assert abs(span.at(step, steps) - expected) < 1e-12, (round, step)
