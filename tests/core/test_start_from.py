"""A run that starts from an earlier one's model."""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loguru import logger

from zk0_core.engines.deployment import _last_model
from zk0_core.server.checkpoint import Checkpoint, Checkpoints


def earlier(folder: Path) -> Path:
    """Write as much of a run as another one starts from."""
    (folder / "start").mkdir(parents=True)
    (folder / "start" / "zk0.json").write_text("{}")
    params = {"w": np.array([3.0], np.float32)}
    Checkpoints(folder / "checkpoints").save(Checkpoint(7, params, {}))
    return folder


def test_it_begins_with_its_parameters_and_statistics(tmp_path: Path) -> None:
    params = _last_model(earlier(tmp_path / "earlier"), tmp_path / "run")
    assert params is not None
    assert params["w"].tolist() == [3.0]
    assert (tmp_path / "run/start/zk0.json").read_text() == "{}"


def test_one_that_finished_no_round_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = logger.add(sys.stdout, format="{message}")
    assert _last_model(tmp_path / "earlier", tmp_path / "run") is None
    logger.remove(sink)
    said = f"{tmp_path / 'earlier'} finished no round: the policy's own weights are the start\n"
    assert capsys.readouterr().out == said


def test_statistics_are_taken_over_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a folder would be taken for a start without statistics when the run goes on."""

    def killed(source: Path, target: Path, **_: Any) -> None:
        Path(target).mkdir(exist_ok=True)
        raise KeyboardInterrupt

    folder = earlier(tmp_path / "earlier")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", killed)
        with pytest.raises(KeyboardInterrupt):
            _last_model(folder, tmp_path / "run")
    assert not (tmp_path / "run/start").exists()
    _last_model(folder, tmp_path / "run")
    assert (tmp_path / "run/start/zk0.json").is_file()
