"""The worked examples: each one is installed from its wheel, holds its contract, and is used."""

import json
from pathlib import Path

import pytest
from environment import REPOSITORY, called, install_wheels, wheel

EXAMPLES = sorted(path.parent for path in (REPOSITORY / "docs" / "examples").glob("*/README.md"))

pytestmark = pytest.mark.long


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_installed_and_holds(example: Path, bin: Path, tmp_path: Path) -> None:
    made = wheel(example, tmp_path)
    install_wheels(bin, made)
    distribution = made.name.partition("-")[0].replace("_", "-")
    listed = json.loads(called(bin / "zk0", "plugins", "list", "--json", cwd=tmp_path))
    (plugin,) = (row for row in listed if row["distribution"] == distribution)
    assert plugin["status"] == "ok"
    shown = called(bin / "zk0", "plugins", "show", plugin["kind"], plugin["name"], cwd=tmp_path)
    assert plugin["summary"] in shown
    # The tests run the contract, as `zk0 plugins test` does.
    quiet = ("-q", "-p", "no:cacheprovider")
    assert " passed" in called(bin / "python", "-m", "pytest", *quiet, cwd=example)


def test_a_run_is_planned_with_the_examples(bin: Path, tmp_path: Path) -> None:
    for name in ("fed-nova", "one-cycle"):
        install_wheels(bin, wheel(REPOSITORY / "docs" / "examples" / name, tmp_path))
    flags = ("--strategy", "fed-nova", "--scheduler", "one-cycle", "--scheduler.rounds", 15)
    plan = called(bin / "zk0", "run", *flags, "--dry-run", cwd=tmp_path)
    assert 'name = "fed-nova"' in plan
    assert "rounds = 15" in plan
