"""The environment that every test runs in; set before anything heavy is imported."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent

# No test reaches the Hub, and several test processes share few cores.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Charts are drawn without a screen.
os.environ.setdefault("MPLBACKEND", "Agg")
# Recordings are made once and kept from one test session to the next.
os.environ.setdefault("ZK0_CACHE", str(REPOSITORY / ".cache" / "zk0"))
# Flower asks its makers about versions and reports events unless told not to.
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the server says on the terminal."""
    from loguru import logger

    lines: list[str] = []
    number = logger.add(
        lambda line: lines.append(line.strip()),
        format="{message}",
        filter=lambda record: bool(record["extra"].get("shown")),
    )
    yield lines
    logger.remove(number)
