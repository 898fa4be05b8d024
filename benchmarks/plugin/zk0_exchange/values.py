"""The values that are sent around."""

import numpy as np

TENSORS = 25


def named_values(count: int, seed: int) -> dict[str, np.ndarray]:
    """Return `count` random float32: so many tensors of one value, or a multiple of TENSORS."""
    random, tensors = np.random.default_rng(seed), min(count, TENSORS)
    return {
        f"w{index:02}": random.random(count // tensors, dtype=np.float32)
        for index in range(tensors)
    }
