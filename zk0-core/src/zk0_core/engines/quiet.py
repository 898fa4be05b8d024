"""Keeps Flower to itself; called before Flower is imported, since it looks only then."""

import os

PIECE_BYTES = 20 * 2**20
"""Tensors travel in pieces of so many bytes. Each takes a SuperLink some ten milliseconds, whatever
is in it; Flower's are a quarter of this."""
ENVIRONMENT = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE": str(PIECE_BYTES),
}


def quiet_flower() -> None:
    """Keep Flower from phoning home, for telemetry and for update checks, and set its pieces.

    Whatever the environment says: zk0 promises it, and both sides of a network have these pieces.
    """
    os.environ.update(ENVIRONMENT)
