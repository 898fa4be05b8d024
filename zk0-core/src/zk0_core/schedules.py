"""The schedules of a run, chained and clamped: what a client trains with in a round.

Schedules are evaluated here and nowhere else. Each takes what the one before it gave; the first
takes the base value. Everything follows from (plan, round, history, client), so that a resumed
run is the same run.
"""

import math
from collections.abc import Sequence

import attrs

from zk0_core.errors import UsageError
from zk0_core.history import History
from zk0_core.plan import RunPlan
from zk0_core.protocols import Schedule
from zk0_core.span import Span

LR_MAX_FACTOR = 10.0
"""The highest learning rate, as a multiple of the base one, where the plan sets none."""


@attrs.frozen
class Schedules:
    """The lr and mu schedules of a plan."""

    plan: RunPlan
    lr_chain: tuple[Schedule, ...]
    mu_chain: tuple[Schedule, ...]

    @classmethod
    def of(cls, plan: RunPlan) -> "Schedules":
        """Build the schedules that `plan` chooses."""
        from zk0_core.parts import build_schedule

        return cls(
            plan,
            tuple(build_schedule(choice) for choice in plan.schedulers),
            tuple(build_schedule(choice) for choice in plan.mu_schedulers),
        )

    def lr(self, round: int, history: History, client: str | None = None) -> Span:
        """Return the learning rate of `client` in `round`; see `lr_span`."""
        return lr_span(self.plan, self.lr_chain, round, history, client)

    def mu(self, round: int, history: History, client: str | None = None) -> Span:
        """Return the proximal weight of `client` in `round`; see `mu_span`."""
        return mu_span(self.plan, self.mu_chain, round, history, client)


def lr_span(
    plan: RunPlan,
    schedules: Sequence[Schedule],
    round: int,
    history: History,
    client: str | None = None,
) -> Span:
    """Return the learning rate over the local steps of one client.

    Args:
        plan: Gives the base value and the clamps: eta_min ≥ 0 below, lr_max above (0: ten times
            the base value).
        schedules: The chain, in order.
        round: The round to come, from 1.
        history: The rounds before it.
        client: The client; None for what all have in common.
    """
    span = _fold(schedules, Span.constant(plan.lr), round, history, client)
    high = plan.lr_max or LR_MAX_FACTOR * plan.lr
    return span.clamped(min(plan.eta_min, high), high)


def mu_span(
    plan: RunPlan,
    schedules: Sequence[Schedule],
    round: int,
    history: History,
    client: str | None = None,
) -> Span:
    """Return the proximal weight over the local steps of one client; 0 for a strategy without mu.

    The base value is the strategy's option `mu`. The result is never negative.
    """
    base = float(plan.strategy.options.get("mu", 0.0))
    span = _fold(schedules, Span.constant(base), round, history, client)
    return span.clamped(0.0, float("inf"))


def _fold(
    schedules: Sequence[Schedule],
    base: Span,
    round: int,
    history: History,
    client: str | None,
) -> Span:
    """Return what the chain makes of `base`.

    Raises:
        UsageError: if a schedule gives a value that is no number.
    """
    span = base
    for schedule in schedules:
        value = schedule.value(round, span, history, client)
        span = value if isinstance(value, Span) else Span.constant(float(value))
        if not all(map(math.isfinite, attrs.astuple(span))):
            name = f"{type(schedule).__module__}.{type(schedule).__qualname__}"
            raise UsageError(
                f"schedule {name} gives {span.hi} to {span.lo}, at phases {span.phase0} to "
                f"{span.phase1}, in round {round}; a schedule must give finite numbers"
            )
    return span
