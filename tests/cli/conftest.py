"""A run file for commands that only read one."""

from pathlib import Path

import pytest

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


@pytest.fixture
def run_file(tmp_path: Path) -> str:
    path = tmp_path / "run.toml"
    path.write_text(RUN_FILE)
    return str(path)
