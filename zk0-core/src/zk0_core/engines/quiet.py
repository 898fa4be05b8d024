"""Keeps Flower to itself; called before Flower is imported, since it looks only then."""

import os


def quiet_flower() -> None:
    """Keep Flower from phoning home, for telemetry and for update checks."""
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("FLWR_DISABLE_UPDATE_CHECK", "1")
