"""Validators of numbers and names that can say what they ask for, for errors and help."""

from collections.abc import Callable
from typing import Any

import attrs


@attrs.frozen
class Check:
    """A validator that can say what it asks for, for errors and help."""

    test: Callable[[Any], bool]
    text: str
    """What follows "must be", such as "≥ 0"."""

    def __call__(self, instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        """Raise ValueError unless `value` is None or passes the test."""
        if value is not None and not self.test(value):
            raise ValueError(f"{attribute.name} must be {self.text}, got {value!r}")


def ge(bound: float) -> Check:
    """Return the validator of values ≥ `bound`."""
    return Check(lambda value: value >= bound, f"≥ {bound:g}")


def gt(bound: float) -> Check:
    """Return the validator of values > `bound`."""
    return Check(lambda value: value > bound, f"> {bound:g}")


def le(bound: float) -> Check:
    """Return the validator of values ≤ `bound`."""
    return Check(lambda value: value <= bound, f"≤ {bound:g}")


def between(low: float, high: float) -> Check:
    """Return the validator of values in [`low`, `high`]."""
    return Check(lambda value: low <= value <= high, f"between {low:g} and {high:g}")


def between_open(low: float, high: float) -> Check:
    """Return the validator of values in (`low`, `high`)."""
    return Check(lambda value: low < value < high, f"above {low:g} and below {high:g}")


def above_up_to(low: float, high: float) -> Check:
    """Return the validator of values in (`low`, `high`]."""
    return Check(lambda value: low < value <= high, f"above {low:g} and at most {high:g}")


def one_of(*choices: str) -> Check:
    """Return the validator of values among `choices`."""
    return Check(lambda value: value in choices, f"one of {', '.join(choices)}")
