"""The Makefile and the scripts hold together; what they run has tests of its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def test_every_target_is_listed_with_what_it_does() -> None:
    text = (REPOSITORY / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[1] for line in listed.splitlines()] == phony.group(1).split()


def test_scripts_are_executable_and_parse() -> None:
    for script in ("scripts/bootstrap", "scripts/demo", ".ci/run"):
        path = REPOSITORY / script
        assert os.access(path, os.X_OK), script
        subprocess.run(["bash", "-n", path], check=True)


def test_demo_never_writes_over_an_earlier_one(tmp_path: Path) -> None:
    """With a zk0 that only writes files: the run itself is tested in tests of `zk0 run`."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "demo", tmp_path / "scripts")
    zk0 = tmp_path / ".venv" / "bin" / "zk0"
    zk0.parent.mkdir(parents=True)
    zk0.write_text(
        '#!/bin/sh\nmkdir -p "$3/models/final" "$3/charts" "$3/evaluate/round_9" '
        '"$3/evaluate/round_10"\n'
        'touch "$3/charts/a.png" "$3/evaluate/round_9/a.mp4" "$3/evaluate/round_10/a.mp4"\n'
    )
    zk0.chmod(0o755)
    for folder in ("outputs/demo", "outputs/demo-2", "outputs/demo-3"):
        shown = subprocess.run(
            [tmp_path / "scripts" / "demo"], capture_output=True, text=True, check=True
        ).stdout
        assert shown == (
            f"demo: zk0 run --output {folder}\n"
            "demo: done\n"
            f"  model   {folder}/models/final\n"
            f"  chart   {folder}/charts/a.png\n"
            f"  video   {folder}/evaluate/round_10/a.mp4\n"
        )
