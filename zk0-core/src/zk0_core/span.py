"""A piece of a cosine: what a schedule gives for one round, and a client follows step by step."""

import math

import attrs


@attrs.frozen
class Span:
    """A value over the local steps of one round.

    At local step s of S (0 … S − 1) the phase is φ = phase0 + (phase1 − phase0) · s / S and the
    value is lo + (hi − lo) · (1 + cos(π φ)) / 2. A constant has hi = lo.
    """

    hi: float
    lo: float
    phase0: float = 0.0
    phase1: float = 0.0

    @classmethod
    def constant(cls, value: float) -> "Span":
        """Return the span that is `value` at every step."""
        return cls(value, value)

    @property
    def start(self) -> float:
        """The value at the round's first step."""
        return self.at(0, 1)

    def at(self, step: int, steps: int) -> float:
        """Return the value at local step `step` (from 0) of `steps`."""
        if self.hi == self.lo:
            return self.hi
        phase = self.phase0 + (self.phase1 - self.phase0) * step / steps
        return self.lo + (self.hi - self.lo) * (1 + math.cos(math.pi * phase)) / 2

    def scaled(self, factor: float) -> "Span":
        """Return the span with every value multiplied by `factor`."""
        return attrs.evolve(self, hi=self.hi * factor, lo=self.lo * factor)

    def clamped(self, low: float, high: float) -> "Span":
        """Return the span with both ends of its cosine moved into [low, high]."""
        return attrs.evolve(self, hi=min(max(self.hi, low), high), lo=min(max(self.lo, low), high))
