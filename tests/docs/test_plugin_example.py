"""The plugin in the readme works as printed."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pages import REPOSITORY, blocks


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """What `pip install` of the readme's plugin leaves: its module and its metadata."""
    written = {block.file: block.text for block in blocks(REPOSITORY / "README.md") if block.file}
    (tmp_path / "zk0_warm_up.py").write_text(written["zk0_warm_up.py"])
    project = tomllib.loads(written["pyproject.toml"])["project"]
    metadata = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = [f"{name} = {value}" for name, value in project["entry-points"]["zk0"].items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[zk0]", *entries]))
    return tmp_path


def zk0(site: Path, *arguments: str) -> str:
    result = subprocess.run(
        [Path(sys.executable).parent / "zk0", *arguments],
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_plugin_of_the_readme_is_found_and_used(site: Path) -> None:
    assert "warm-up" in zk0(site, "plugins", "list")
    plan = zk0(site, "run", "--scheduler", "warm-up", "--scheduler.rounds", "5", "--dry-run")
    assert "warm-up" in plan
    assert "rounds = 5" in plan


def test_it_gives_the_rates_that_it_promises(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zk0_core import Span
    from zk0_core.history import History

    monkeypatch.syspath_prepend(str(site))
    import zk0_warm_up

    schedule = zk0_warm_up.WarmUp(rounds=4)
    rates = [schedule.value(round, Span.constant(0.8), History()).hi for round in (1, 2, 4, 9)]
    assert rates == [0.2, 0.4, 0.8, 0.8]


def test_it_has_no_more_lines_than_promised() -> None:
    module = next(b.text for b in blocks(REPOSITORY / "README.md") if b.file == "zk0_warm_up.py")
    assert len([line for line in module.splitlines() if line.strip()]) <= 20
