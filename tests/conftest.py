"""The environment that every test runs in; set before anything heavy is imported."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Outcome, Zk0
from tests.logs import caught

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.run_folders import WriteRun

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
    with caught(filter=lambda record: bool(record["extra"].get("shown"))) as lines:
        yield lines


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What is logged, whoever it is for."""
    with caught() as lines:
        yield lines


@pytest.fixture
def zk0(capsys: pytest.CaptureFixture[str]) -> Zk0:
    """Runs the command in this process."""
    from zk0_cli.main import main

    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def write_run(tmp_path: Path) -> "WriteRun":
    """Writes a run folder, `small` among a folder of outputs."""
    from tests.run_folders import write_run_folder

    def write(*happened: Any, **more: Any) -> Path:
        return write_run_folder(tmp_path / "outputs" / "small", *happened, **more)

    return write


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The machine's own Chromium."""
    from tests.browsers import chromium

    with chromium() as started:
        yield started
