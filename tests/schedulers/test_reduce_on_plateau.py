"""Plateaus counted by hand, and by torch."""

import random

import pytest

from zk0_core import Span
from zk0_core.history import History
from zk0_core.options import structure_options
from zk0_schedulers.reduce_on_plateau import ReduceOnPlateau, ReduceOnPlateauOptions

BASE = Span.constant(1.0)


def plateaus(**options: float) -> ReduceOnPlateau:
    return ReduceOnPlateau(structure_options(ReduceOnPlateauOptions, options, path="scheduler"))


def rates(schedule: ReduceOnPlateau, history: History, base: Span = BASE) -> list[float]:
    """Return the rate of the round after each beginning of `history`, round 0 alone first."""
    rounds = history.rounds
    return [
        schedule.value(len(begun), base, History(begun)).start
        for begun in (rounds[:n] for n in range(1, len(rounds) + 1))
    ]


def test_nothing_happened() -> None:
    assert plateaus().value(1, BASE, History()) == BASE


def test_halved_after_five_rounds_without_improvement(evaluated) -> None:
    # Best in round 0; rounds 1 to 5 are no better, and round 6 is the first at half the rate. The
    # next five make a quarter.
    found = rates(plateaus(), evaluated(*[0.5] * 11))
    assert found == [1.0] * 5 + [0.5] * 5 + [0.25]


def test_an_improvement_restarts_the_counter(evaluated) -> None:
    # Four stalls, a new best, and two more stalls: none in a row of five.
    losses = (0.5, 0.6, 0.6, 0.6, 0.6, 0.4, 0.5, 0.5)
    assert rates(plateaus(), evaluated(*losses)) == [1.0] * 8
    # With a patience of 3 the fourth loss completes a plateau, and the counter starts anew there.
    assert rates(plateaus(stall_patience=3), evaluated(*losses)) == [1.0] * 3 + [0.5] * 5


def test_as_good_as_the_best_is_no_improvement(evaluated) -> None:
    assert rates(plateaus(stall_patience=1), evaluated(0.5, 0.5, 0.4999)) == [1.0, 0.5, 0.5]


def test_rounds_without_evaluation_count_for_nothing(evaluated) -> None:
    losses = (0.5, None, None, 0.5, None, 0.5)
    assert rates(plateaus(stall_patience=2), evaluated(*losses)) == [1.0] * 5 + [0.5]


def test_eta_min_is_the_floor(evaluated) -> None:
    found = rates(plateaus(stall_patience=1, eta_min=0.3), evaluated(0.5, 0.5, 0.5, 0.5))
    assert found == [1.0, 0.5, 0.3, 0.3]


def test_a_base_below_eta_min_stays(evaluated) -> None:
    schedule = plateaus(stall_patience=1, eta_min=0.3)
    base = Span(1.0, 0.2, 0.0, 1.0)
    assert schedule.value(3, base, evaluated(0.5, 0.5)) == Span(0.5, 0.2, 0.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patience", [1, 2, 5])
def test_as_torch_does(evaluated, seed: int, patience: int) -> None:
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
    # torch reduces at the first bad loss beyond its patience: one later than zk0's number.
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience - 1, threshold=0.0, eps=0.0, min_lr=2e-5
    )
    chance = random.Random(seed)
    losses = [chance.uniform(0.2, 1.0) * 0.99**number for number in range(60)]
    expected = []
    for loss in losses:
        theirs.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    assert len(set(expected)) > 3
    ours = plateaus(stall_patience=patience, eta_min=2e-5)
    found = rates(ours, evaluated(*losses), Span.constant(1e-3))
    assert found == pytest.approx(expected, rel=1e-12, abs=0)
