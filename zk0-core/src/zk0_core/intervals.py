"""Confidence intervals of rates, and of differences between rates."""

import math
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import numpy as np

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""
RESAMPLES = 20_000


@attrs.frozen
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


def wilson(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of a success rate (Wilson 1927).

    Args:
        successes: 0 to `trials`.
        trials: At least 1.
        z: Quantile of the normal distribution; the default gives 95 %.
    """
    rate = successes / trials
    spread = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    middle = rate + z**2 / (2 * trials)
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def crossed_bootstrap(values: "np.ndarray") -> Interval:
    """Return the 95 % interval of the mean of `values`, (seeds, starts).

    Seeds and starts are resampled independently of each other, since each start is tried with
    every seed: the pigeonhole bootstrap (Owen 2007, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1(2)), which errs towards wide. Of differences it is the paired interval. With one
    seed, only starts are resampled. The same values always give the same interval.
    """
    import numpy as np

    seeds, starts = values.shape
    random = np.random.default_rng(0)
    of_seeds = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES)
    of_starts = random.multinomial(starts, np.full(starts, 1 / starts), size=RESAMPLES)
    sums = np.einsum("bi,ij,bj->b", of_seeds, values.astype(np.float64), of_starts, optimize=True)
    low, high = np.quantile(sums / (seeds * starts), [0.025, 0.975])
    return Interval(float(low), float(high))
