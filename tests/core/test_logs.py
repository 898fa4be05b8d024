"""What log files hold, and what they never do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from zk0_core.logs import log_clients, log_server


@pytest.fixture(autouse=True)
def no_sinks() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(extra={})
    log_clients.cache_clear()


def fail() -> None:
    key = "k3y-of-somebody"
    try:
        raise ValueError(f"a key of {len(key)} letters is refused")
    except ValueError as problem:
        logger.opt(exception=problem).error("push failed")


def test_a_traceback_of_the_server_holds_no_values(tmp_path: Path) -> None:
    log_server(tmp_path)
    fail()
    text = (tmp_path / "server.log").read_text()
    assert "ValueError: a key of 15 letters is refused" in text
    assert "k3y" not in text


def test_clients_log_to_a_file_each(tmp_path: Path) -> None:
    log_clients(tmp_path)
    with logger.contextualize(client="ann"):
        fail()
    with logger.contextualize(client="bob"):
        logger.info("trained")
    assert "ann: push failed" in (tmp_path / "ann.log").read_text()
    assert "k3y" not in (tmp_path / "ann.log").read_text()
    assert "bob: trained" in (tmp_path / "bob.log").read_text()
