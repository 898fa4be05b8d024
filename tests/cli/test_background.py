"""A log is followed past its end, and past the beginning of a new one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zk0_cli import background
from zk0_cli.background import echo_log


def test_a_log_that_is_begun_anew_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(background, "POLL_SECONDS", 0.0)
    log = tmp_path / "node.log"
    log.write_text("first, and long enough\n")

    def append(text: str) -> None:
        with log.open("a") as end:
            end.write(text)

    def steps() -> Iterator[Callable[[], object]]:
        yield lambda: append("second\n")
        yield lambda: log.write_text("emptied\n")
        yield lambda: append("third\n")
        yield lambda: log.rename(tmp_path / "node.old.log")
        yield lambda: log.write_text("of a new file, longer than the one before it\n")

    left = steps()

    def until() -> bool:
        """Do what comes next, whenever all is read; end after the last."""
        step = next(left, None)
        if step:
            step()
        return step is None

    echo_log(log, follow=True, until=until)
    assert capsys.readouterr().out == (
        "first, and long enough\nsecond\nemptied\nthird\n"
        "of a new file, longer than the one before it\n"
    )
