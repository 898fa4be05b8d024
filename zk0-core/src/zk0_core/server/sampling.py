"""Which clients take part in a round."""

import random
from collections.abc import Sequence

from zk0_core.seeds import derive_seed


def sample_clients(clients: Sequence[str], fraction: float, seed: int, round: int) -> list[str]:
    """Return a random `fraction` of `clients`, at least one, in order of name."""
    count = max(1, round_half_up(len(clients) * fraction))
    generator = random.Random(derive_seed(seed, "sampling", round=round))
    return sorted(generator.sample(sorted(clients), count))


def round_half_up(value: float) -> int:
    """Return the nearest whole number; halves go up, so that more clients take part."""
    return int(value + 0.5)
