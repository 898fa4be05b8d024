"""Every random stream comes from (run seed, purpose, client, round) by hashing."""

import hashlib


def derive_seed(seed: int, purpose: str, *, client: str = "", round: int = 0) -> int:
    """Return the seed, in [0, 2**63), of one random stream of a run.

    Args:
        seed: The run's seed.
        purpose: What the stream is for, such as "batches".
        client: The client it belongs to, by name; empty for the server's.
        round: The round it belongs to, from 1; 0 for streams outside rounds.
    """
    text = f"{seed}\x1f{purpose}\x1f{client}\x1f{round}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
