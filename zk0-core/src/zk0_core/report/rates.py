"""Success rates with their intervals, their means and differences."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from zk0_core.intervals import Interval, wilson


@attrs.frozen
class Rate:
    """A share of successes."""

    value: float
    """0 to 1."""
    interval: Interval | None = None
    """95 %; None where the evaluator gave none."""
    successes: int | None = None
    rollouts: int | None = None


@attrs.frozen
class Change:
    """A rate before and after training."""

    name: str
    before: Rate | None
    after: Rate
    difference: Interval | None
    """95 %, of after minus before; None unless both have an interval."""

    @property
    def verdict(self) -> str:
        """Whether the interval of the difference leaves out 0: better, worse, or unsure."""
        if self.difference is None:
            return "unknown"
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "unsure"


def change(name: str, before: Rate | None, after: Rate) -> Change:
    """Return the change from `before` to `after`, with its interval where there can be one."""
    difference = combined(((1.0, after), (-1.0, before))) if before else None
    return Change(name, before, after, difference.interval if difference else None)


def combined(terms: Sequence[tuple[float, Rate]]) -> Rate:
    """Return Σ factor · rate, with the 95 % interval of independent rates.

    The interval recovers each rate's variance from its own interval (MOVER: Zou and Donner 2008,
    Statistics in Medicine 27). For a difference of two rates with Wilson intervals it is method 10
    of Newcombe 1998, Statistics in Medicine 17. Rates that were tried from the same starts usually
    go up and down together, which makes the interval of their difference err towards wide.
    """
    value = sum(factor * rate.value for factor, rate in terms)
    below = above = 0.0
    for factor, rate in terms:
        if rate.interval is None:
            return Rate(value)
        ends = factor * rate.interval.low, factor * rate.interval.high
        below += (factor * rate.value - min(ends)) ** 2
        above += (max(ends) - factor * rate.value) ** 2
    return Rate(value, Interval(value - math.sqrt(below), value + math.sqrt(above)))


def of_dataset(figures: Mapping[str, Any]) -> Rate | None:
    """Return the success rate among an evaluation dataset's `figures`; None without any."""
    value, ends = figures.get("success_rate"), figures.get("success_interval")
    if value is None:
        return None
    rollouts = figures.get("rollouts")
    return Rate(
        value,
        Interval(*ends) if ends else None,
        round(value * rollouts) if rollouts else None,
        rollouts,
    )


def of_datasets(datasets: Sequence[Mapping[str, Any]]) -> Rate | None:
    """Return the mean success rate over the evaluation datasets that have one."""
    rates = [rate for figures in datasets if (rate := of_dataset(figures))]
    if len(rates) < 2:
        return rates[0] if rates else None
    return combined([(1 / len(rates), rate) for rate in rates])


def parts_of(datasets: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Rate]]:
    """Return success by part, such as region of the table or task: kind of part, name, rate.

    Any figure that maps names to `successes` and `rollouts` is one. Parts that several datasets
    have are added up.
    """
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for figures in datasets:
        for kind, parts in figures.items():
            if not (isinstance(parts, Mapping) and parts and all(map(_is_tally, parts.values()))):
                continue
            for name, tally in parts.items():
                successes, rollouts = counts.setdefault(kind, {}).get(name, (0, 0))
                counts[kind][name] = successes + tally["successes"], rollouts + tally["rollouts"]
    return {
        kind: {name: _counted(*tally) for name, tally in sorted(parts.items())}
        for kind, parts in counts.items()
    }


def _is_tally(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("rollouts", 0) > 0 and "successes" in value


def _counted(successes: int, rollouts: int) -> Rate:
    interval = Interval(*wilson(successes, rollouts))
    return Rate(successes / rollouts, interval, successes, rollouts)
