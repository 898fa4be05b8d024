"""A plugin from nothing to a run, as somebody else makes one.

From wheels, in an environment of their own, where nothing of this repository can be imported.
"""

import json
import zipfile
from pathlib import Path

import pytest
from environment import REPOSITORY, called, install_wheels, wheel

pytestmark = pytest.mark.long


def test_the_wheel_carries_the_template(wheels: Path) -> None:
    (cli,) = wheels.glob("zk0_cli-*.whl")
    inside = {
        name.removeprefix("zk0_cli/template/")
        for name in zipfile.ZipFile(cli).namelist()
        if name.startswith("zk0_cli/template/")
    }
    tracked = called(
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        cwd=REPOSITORY / "plugins-template",
    )
    assert inside == {
        name for name in tracked.splitlines() if (REPOSITORY / "plugins-template" / name).is_file()
    }


def test_from_nothing_to_a_run(bin: Path, wheels: Path, tmp_path: Path) -> None:
    zk0 = bin / "zk0"
    where = called(bin / "python", "-c", "import zk0_core; print(zk0_core.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(bin.parent)

    kinds = "strategy,scheduler,codec,reporter"
    called(zk0, "plugins", "new", "desk-mean", "--kind", kinds, cwd=tmp_path)
    project = tmp_path / "desk-mean"
    called("git", "init", "--quiet", cwd=project)
    install_wheels(bin, wheel(project, wheels))

    listed = json.loads(called(zk0, "plugins", "list", "--json", cwd=tmp_path))
    mine = {row["kind"]: row["status"] for row in listed if row["name"] == "desk-mean"}
    assert mine == dict.fromkeys(kinds.split(","), "ok")
    assert {row["status"] for row in listed} == {"ok"}

    tested = called(zk0, "plugins", "test", "desk-mean", cwd=tmp_path)
    assert " passed, 0 failed, 0 excepted" in tested
    assert " passed" in called(bin / "python", "-m", "pytest", "-q", cwd=project)

    small = ("--rounds", 1, "--local-steps", 1, "--episodes-per-client", 2, "--workers", 2)
    called(
        *(zk0, "run", "--strategy", "desk-mean", "--strategy.step", 0.5),
        *("--scheduler", "desk-mean", "--codec", "desk-mean", "--reporter", "desk-mean"),
        *("--evaluator.sim-success.final-rollouts", 2, "--evaluator.sim-success.rollouts", 1),
        *(*small, "--output", "out"),
        cwd=tmp_path,
    )
    plan = (tmp_path / "out" / "plan.toml").read_text()
    assert 'distribution = "zk0-desk-mean"' in plan
    rounds = (tmp_path / "out" / "losses.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in rounds] == ["round", "0", "1"]
