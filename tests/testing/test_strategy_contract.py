"""What strategies and their client halves do wrong, and what the contract says of it."""

import numpy as np
import pytest

from tests.testing.failing import Mean, Unweighted, failure, strategy
from zk0_core.testing import (
    ObjectiveContract,
    StrategyContract,
)
from zk0_core.testing.contract import check_names


class WrongShape(Mean):
    def finish(self):
        return {**super().finish(), "head.bias": np.zeros(3, np.float32)}


class Hoarder(Mean):
    def begin(self, params, round):
        super().begin(params, round)
        self.all = []

    def add(self, update):
        self.all.append(update)
        super().add(update)


class Greedy(Mean):
    def add(self, update):
        update.delta["head.bias"][:] *= 2
        super().add(update)


class Forgetful(Mean):
    """Moves on by what it remembers, and does not say so in its state."""

    seen = 0

    def finish(self):
        self.seen += 1
        return {name: array + self.seen for name, array in super().finish().items()}


class Moody(Mean):
    """Moves on by chance."""

    def finish(self):
        by = np.random.default_rng().random()
        return {name: array + np.float32(by) for name, array in super().finish().items()}


def test_a_good_strategy_holds_everything() -> None:
    made = type("TestIt", (StrategyContract,), {"plugin": strategy(Mean)})
    for name in check_names(made):
        getattr(made(), name)()


@pytest.mark.parametrize(
    ("build", "name", "text"),
    [
        (Unweighted, "test_mean_of_equal_updates", "all clients moved head.bias alike, but the"),
        (
            Hoarder,
            "test_memory_is_flat",
            "8 more clients take 8.0 MiB more, with updates of 1 MiB",
        ),
        (
            Greedy,
            "test_arguments_are_left_alone",
            "begin, add or finish writes into the arrays that it is given",
        ),
        (
            Moody,
            "test_order_of_arrival",
            "other orders of arrival give other parameters",
        ),
        (
            Forgetful,
            "test_state_round_trips",
            "after restore the next round gives other parameters than without",
        ),
    ],
)
def test_what_strategies_do_wrong(build: type, name: str, text: str) -> None:
    assert failure(StrategyContract, strategy(build), name).startswith(text)


def test_wrong_shapes_are_told_by_the_round_itself() -> None:
    made = type("TestIt", (StrategyContract,), {"plugin": strategy(WrongShape)})
    with pytest.raises(Exception, match=r"returned head\.bias as float32 \(3,\), not float32"):
        made().test_new_parameters_fit()


class Heavy:
    """A client half that pulls all parameters towards 0, whatever the weight."""

    def start(self, params, extra):
        self.params = params

    def gradient(self, mu):
        import torch

        with torch.no_grad():
            for param in self.params.values():
                param.grad.add_(param, alpha=0.5)
        return torch.zeros(2)

    def finish(self):
        return {"norm": np.array([np.nan], np.float32)}

    def state(self):
        return {}

    def restore(self, state):
        pass


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_weight_0_is_plain_training", "with weight 0 it changes the training"),
        ("test_gradient_changes_gradients_alone", "the loss term has shape (2,), not ()"),
        (
            "test_what_it_sends_is_finite",
            "norm has a NaN or an infinity; the server will refuse it",
        ),
    ],
)
def test_what_client_halves_do_wrong(name: str, text: str) -> None:
    record = strategy(Mean, build_objective=lambda options: Heavy())
    assert failure(ObjectiveContract, record, name) == text
