"""Which clients take part in a round."""

import random
from collections.abc import Sequence

from zk0_core.seeds import derive_seed


def sample_clients(clients: Sequence[str], fraction: float, seed: int, round: int) -> list[str]:
    """Return a random `fraction` of `clients`, at least one, in order of name."""
    generator = random.Random(derive_seed(seed, "sampling", round=round))
    return sorted(generator.sample(sorted(clients), count_of_round(len(clients), fraction)))


def count_of_round(clients: int, fraction: float) -> int:
    """Return how many of so many `clients` a round asks; halves go up, so that more take part."""
    return max(1, int(clients * fraction + 0.5))
