"""The commands of the page on the simulator, with smaller numbers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long


def zk0(*arguments: str, cache: Path) -> Any:
    return json.loads(printed(*arguments, "--json", cache=cache))


def printed(*arguments: str, cache: Path) -> str:
    result = subprocess.run(
        [Path(sys.executable).parent / "zk0", *arguments],
        env={**os.environ, "ZK0_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_demonstrations_are_recorded_once(tmp_path: Path) -> None:
    command = ("sim", "record", "sim:lift?region=left&episodes=1")
    (first,) = zk0(*command, cache=tmp_path)
    info = Path(first["folder"]) / "meta" / "info.json"
    written = info.stat().st_mtime_ns
    assert json.loads(info.read_text())["total_episodes"] == 1
    assert zk0(*command, cache=tmp_path) == [first]
    assert info.stat().st_mtime_ns == written


def test_a_base_is_made(tmp_path: Path) -> None:
    output = tmp_path / "base"
    small = ("--scenes", "100", "--steps", "2")
    report = zk0("sim", "make-base", "--output", str(output), *small, cache=tmp_path / "cache")
    assert report["scenes"] == 100
    assert (output / "config.json").is_file()
    trained_on_it = ("run", "--policy.base", str(output), "--dry-run")
    assert zk0(*trained_on_it, cache=tmp_path / "cache")["policy"]["options"]["base"] == str(output)


def test_a_base_of_several_tasks_is_made(tmp_path: Path) -> None:
    output = tmp_path / "base"
    small = ("--scenes", "100", "--steps", "1")
    which = ("--start", "lift", "--task", "lift", "--task", "sort", "--colour", "any")
    cache = tmp_path / "cache"
    shown = printed("sim", "make-base", "--output", str(output), *which, *small, cache=cache)
    assert re.search(r"^cube_cm_in sort +\d", shown, re.MULTILINE)
    assert "--task lift --task sort --colour any --start lift" in (output / "NOTE.md").read_text()
