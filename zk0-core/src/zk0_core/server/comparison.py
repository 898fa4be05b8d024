"""How each client's update compares with the others': its norm, and its cosine to their mean.

The mean of the others is known only when all updates are in, and then they are gone. So of each
update a sketch stays: SUMS sums of its values, each with a sign drawn at random. Products of two
sketches estimate those of the updates without bias (Charikar, Chen and Farach-Colton 2002, "Finding
Frequent Items in Data Streams"; Thorup and Zhang 2004), and a cosine to within about 1 / √SUMS =
0.008. Up to SUMS values each has a sum of its own, and nothing is estimated.
"""

from collections.abc import Mapping

import numpy as np

from zk0_core.seeds import derive_seed

SUMS = 2**14
CHUNK = 2**22
"""Values that are taken at once, a multiple of SUMS: what memory this needs."""


class Comparison:
    """The sketches of one round's updates, 64 KiB each."""

    def __init__(self, seed: int) -> None:
        """Draw signs from `seed`, the run's."""
        self._seed = derive_seed(seed, "sketch")
        self._sketches: dict[str, np.ndarray] = {}  # client to (SUMS,) float32
        self._weights: dict[str, int] = {}

    def add(self, client: str, delta: Mapping[str, np.ndarray], weight: int) -> None:
        """Take in the update of `client`, which counts `weight` examples."""
        signs = np.random.default_rng(self._seed)
        sums = np.zeros(SUMS)
        at = 0
        for name in sorted(delta):
            flat = delta[name].reshape(-1)
            for start in range(0, flat.size, CHUNK):
                piece = flat[start : start + CHUNK]
                bits = np.unpackbits(
                    np.frombuffer(signs.bytes(-(-piece.size // 8)), np.uint8), count=piece.size
                )
                first = at % SUMS
                padded = np.zeros(-(-(first + piece.size) // SUMS) * SUMS, np.float32)
                # The sign of a float is its highest bit: the other one for each bit that is 0.
                flips = (bits ^ 1).astype(np.uint32) << np.uint32(31)
                signed = padded.view(np.uint32)[first : first + piece.size]
                np.bitwise_xor(piece.view(np.uint32), flips, out=signed)
                sums += padded.reshape(-1, SUMS).sum(axis=0, dtype=np.float64)
                at += piece.size
        self._sketches[client] = sums.astype(np.float32)
        self._weights[client] = weight

    def cosines(self) -> dict[str, float | None]:
        """Return each client's cosine to the mean of the others, weighted by examples.

        None where there is nobody else, or an update or that mean is zero.
        """
        total = np.zeros(SUMS)
        for client, sums in self._sketches.items():
            total += sums.astype(np.float64) * self._weights[client]
        return {
            client: _cosine(sums.astype(np.float64), total - sums.astype(np.float64) * weight)
            for (client, sums), weight in zip(
                self._sketches.items(), self._weights.values(), strict=True
            )
        }


def _cosine(one: np.ndarray, other: np.ndarray) -> float | None:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(np.clip(one @ other / lengths, -1.0, 1.0)) if lengths else None
