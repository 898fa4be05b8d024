"""What schedules of the learning rate and of the proximal weight must hold."""

import copy
from typing import Any, ClassVar

import attrs

from zk0_core.history import History, RoundRecord
from zk0_core.schedules import LR_MAX_FACTOR, lr_span, mu_span
from zk0_core.span import Span
from zk0_core.testing import examples
from zk0_core.testing.contract import Contract, check

ROUNDS = 40
STEPS = 8
"""Local steps at which a round's values are looked at."""


def eventful(rounds: int) -> History:
    """Return a history that stalls, then diverges, its clients' losses far apart."""
    first = examples.CLIENTS[0]

    def changed(record: RoundRecord) -> RoundRecord:
        clients = [
            attrs.evolve(client, policy_loss=9.0 if client.client == first else 1.0)
            for client in record.clients
        ]
        loss = 1.0 if record.round < 9 else 3.0
        return attrs.evolve(record, policy_loss=loss, clients=tuple(clients))

    return History(tuple(map(changed, examples.history(rounds).rounds)))


class ScheduleContract(Contract):
    """Checks of a learning-rate scheduler."""

    kind = "scheduler"
    base: ClassVar[float] = 1e-3
    """The base value that it is given."""

    def test_it_is_pure(self) -> None:
        """The same round, base, history and client give the same value."""
        schedule, history = self.build(), eventful(12)
        before = copy.deepcopy(history)
        for client in (None, *examples.CLIENTS[:2]):
            base = Span.constant(self.base)
            first, second = (schedule.value(13, base, history, client) for _ in range(2))
            check(first == second, f"asked twice for round 13 it gives {first} and {second}")
        check(history == before, "it changes the history")

    def test_values_are_finite(self) -> None:
        """Every value of every round is a finite number that is not negative."""
        schedule = self.build()
        for round in range(1, ROUNDS + 1):
            for history in (History(), examples.history(round - 1), eventful(round - 1)):
                for client in (None, examples.CLIENTS[0]):
                    value = schedule.value(round, Span.constant(self.base), history, client)
                    for number in self._numbers(value):
                        check(0 <= number < float("inf"), f"round {round} has the value {number}")

    def test_values_are_within_clamps(self) -> None:
        """What clients get is within the run's clamps, and the base value lies there too."""
        plan = examples.plan(lr=self.base)
        schedule = self.build()
        for round in range(1, ROUNDS + 1):
            span = self._clamped(plan, schedule, round)
            for step in range(STEPS):
                check(
                    self._low(plan) <= span.at(step, STEPS) <= self._high(plan),
                    f"step {step} of round {round} has the value {span.at(step, STEPS)}",
                )

    def test_a_replayed_history_gives_the_same(self) -> None:
        """A new schedule, told the same history, gives the same: a resumed run is the same run."""
        full = eventful(12)
        lived = self.build()
        base = Span.constant(self.base)
        values = [
            lived.value(round, base, History(full.rounds[:round]), "ann") for round in range(1, 13)
        ]
        for round in (12, 5, 1):
            again = History()
            for record in full.rounds[:round]:
                again = again.with_round(copy.deepcopy(record))
            value = self.build().value(round, base, again, "ann")
            check(
                value == values[round - 1],
                f"round {round} had {values[round - 1]}, and has {value} after a replay",
            )

    def _numbers(self, value: Any) -> list[float]:
        span = value if isinstance(value, Span) else Span.constant(float(value))
        return [span.at(step, STEPS) for step in range(STEPS)]

    def _clamped(self, plan: Any, schedule: Any, round: int) -> Span:
        return lr_span(plan, [schedule], round, examples.history(round - 1), "ann")

    def _low(self, plan: Any) -> float:
        return float(plan.eta_min)

    def _high(self, plan: Any) -> float:
        return LR_MAX_FACTOR * float(plan.lr)


class MuScheduleContract(ScheduleContract):
    """Checks of a scheduler of the proximal weight."""

    kind = "mu-scheduler"
    base = 0.01

    def _clamped(self, plan: Any, schedule: Any, round: int) -> Span:
        return mu_span(plan, [schedule], round, examples.history(round - 1), "ann")

    def _low(self, plan: Any) -> float:
        return 0.0

    def _high(self, plan: Any) -> float:
        return float("inf")
