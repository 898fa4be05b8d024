"""Lets the tests of this folder import `recordings`, and runs the command in this process."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from zk0_cli.main import main

sys.path.insert(0, str(Path(__file__).parent))


@attrs.frozen
class Outcome:
    status: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Zk0 = Callable[..., Outcome]


@pytest.fixture
def zk0(capsys: pytest.CaptureFixture[str]) -> Zk0:
    """The command in this process."""

    def run(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, printed.out, printed.err)

    return run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "zk0-cache"))
