"""Federations of tiny clients, some of which misbehave."""

from collections.abc import Iterator

import pytest
from loguru import logger

from tests.quadratic import federate, quadratic  # noqa: F401  # fixtures


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the server says on the terminal."""
    lines: list[str] = []
    number = logger.add(
        lambda line: lines.append(line.strip()),
        format="{message}",
        filter=lambda record: bool(record["extra"].get("shown")),
    )
    yield lines
    logger.remove(number)
