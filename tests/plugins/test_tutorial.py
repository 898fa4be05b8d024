"""The tutorial, step by step as printed, in an environment of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from environment import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "docs"))
from pages import blocks

PAGE = REPOSITORY / "docs" / "plugins" / "tutorial.md"
OFFLINE = {
    "PIP_NO_INDEX": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    # pip reads "false" here as: without isolation. The build backend is there already.
    "PIP_NO_BUILD_ISOLATION": "false",
}

pytestmark = pytest.mark.long


def test_it_has_as_many_steps_as_it_says() -> None:
    found = list(blocks(PAGE))
    commands = [command for block in found for command in block.commands()]
    edits = [block for block in found if block.file]
    assert (len(commands), len(edits)) == (8, 2)
    numbers = re.findall(r"^\*\*(\d+)(?: (?:and|to) (\d+))?\.\*\*", PAGE.read_text(), re.MULTILINE)
    assert int(numbers[-1][0]) == 10


def test_the_tutorial_works_as_printed(bin: Path, tmp_path: Path) -> None:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env |= OFFLINE | {"PATH": os.pathsep.join([str(bin), env["PATH"]])}
    shown = {}
    for block in blocks(PAGE):
        if block.file:
            assert (tmp_path / block.file).is_file(), "an edit, not a new file"
            (tmp_path / block.file).write_text(block.text)
        for command in block.commands():
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            shown[command] = done.stdout
    assert "root-mean" in shown["zk0 plugins list --kind strategy"]
    assert "--strategy.power" in shown["zk0 plugins show strategy root-mean"]
    assert "power = 0.25" in next(text for call, text in shown.items() if "--dry-run" in call)
    plan = (tmp_path / "first-run" / "plan.toml").read_text()
    assert 'distribution = "zk0-root-mean"' in plan
