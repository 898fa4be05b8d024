"""Runs the command in this process: what it printed, and its exit status."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from zk0_cli.main import main

RUN_FILE = """
rounds = 1
lr = 1e-3
batch_size = 8
reporters = []
[policy]
name = "smolvla-tiny"
[strategy]
name = "fedprox"
[[clients]]
dataset = "local:/data/left"
"""


@attrs.frozen
class Outcome:
    status: int
    out: str
    error: str


Zk0 = Callable[..., Outcome]


@pytest.fixture
def zk0(capsys: pytest.CaptureFixture[str]) -> Zk0:
    def run(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main(arguments)
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def run_file(tmp_path: Path) -> str:
    path = tmp_path / "run.toml"
    path.write_text(RUN_FILE)
    return str(path)
