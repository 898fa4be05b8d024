"""What is logged while a test runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def caught(form: str = "{message}", **which: Any) -> Iterator[list[str]]:
    """Yield the lines that are logged within the block.

    Args:
        form: How a line is written.
        which: The lines, as `logger.add` takes it: a `level`, or a `filter`.
    """
    from loguru import logger

    lines: list[str] = []
    number = logger.add(lambda line: lines.append(line.strip()), format=form, **which)
    yield lines
    logger.remove(number)
