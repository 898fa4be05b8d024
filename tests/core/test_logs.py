"""What log files hold, and what they never do."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from loguru import logger

from zk0_core import logs
from zk0_core.logs import ShownProgress, add_log, log_clients, log_server


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


def test_a_log_file_is_begun_anew_and_three_old_ones_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGE_BYTES", 100)
    clients = [tmp_path / "node.1.log", tmp_path / "node.2.log"]
    for client in clients:
        client.write_text("of a client of that name")
    add_log(tmp_path / "node.log", format="{message}")
    for number in range(10):
        logger.info("{} {}", number, "x" * 80)
    assert (tmp_path / "node.log").read_text() == "9 " + "x" * 80 + "\n"
    old = sorted(set(tmp_path.glob("node.*.log")) - set(clients))
    assert {path.read_text()[0] for path in old} == {"6", "7", "8"}
    assert all(client.is_file() for client in clients)


def test_the_log_of_a_client_is_begun_anew_and_two_old_ones_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGE_BYTES", 100)
    log_clients(tmp_path)
    with logger.contextualize(client="ann"):
        for number in range(5):
            logger.info("number {} {}", number, "x" * 100)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(kept) == ["ann.log", "ann.log.1", "ann.log.2"]
    for number, name in enumerate(sorted(kept, reverse=True), start=2):
        assert f"ann: number {number} x" in kept[name]
        assert kept[name].count("\n") == 1


def test_what_is_shown_goes_to_stderr_too(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for log in (log_server, log_clients):
        log(tmp_path)
        logger.info("not this")
        logger.bind(shown=True).warning("this")
        assert capsys.readouterr() == ("", "warning: this\n")


def test_long_work_is_told_of_now_and_then(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing for 5 seconds, then a line every 10 and one at the end; each work by itself."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: clock.now))
    progress = ShownProgress()

    def tell(at: float, what: str, done: int) -> None:
        clock.now = 100.0 + at
        progress(what, done, 90)

    tell(4.9, "decoding", 10)
    assert said == []
    tell(5.0, "decoding", 11)
    tell(14.9, "decoding", 30)
    assert said == ["decoding: 11/90"]
    tell(15.0, "decoding", 31)
    tell(16.0, "decoding", 90)
    assert said[1:] == ["decoding: 31/90", "decoding: 90/90"]
    # Short work after it, and then some whose first step took long.
    tell(18.0, "embedding", 45)
    tell(20.9, "embedding", 90)
    tell(25.9, "checking", 1)
    assert said[3:] == ["checking: 1/90"]
