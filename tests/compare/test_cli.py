"""`zk0 compare` as it is typed."""

import json
from pathlib import Path

import pytest

from tests.command import Zk0
from tests.compare.conftest import WriteRun

SMALL = (
    *("--client", "sim:lift?region=right&episodes=3"),
    *("--client", "sim:lift?region=mid-right&episodes=3"),
    *("--rounds", "1", "--local-steps", "1", "--batch-size", "8", "--seeds", "1"),
    *("--evaluator", "sim-success", "--evaluator.final-rollouts", "2"),
    *("--evaluator.rollouts", "2", "--evaluator.videos", "0"),
)


@pytest.mark.long
def test_a_comparison_of_two_clients(zk0: Zk0, tmp_path: Path) -> None:
    folder = tmp_path / "compare"
    shown = zk0("compare", *SMALL, "--output", str(folder), "--json")
    assert shown.status == 0, shown.error
    found = json.loads(shown.out)
    assert [(arm["kind"], arm["steps"]) for arm in found["arms"]] == [
        ("untrained", 0),
        ("federated", 2),
        ("centralized", 2),
        ("alone", 1),
        ("alone", 1),
        ("alone, total", 2),
        ("alone, total", 2),
    ]
    assert all(len(arm["outcomes"][0]) == 2 for arm in found["arms"])
    assert json.loads((folder / "compare.json").read_text()) == found
    assert (folder / "compare.png").is_file()

    again = zk0("compare", *SMALL, "--output", str(folder))
    assert "federated minus centralized: " in again.out
    assert "6/6" in again.error


def test_two_runs_side_by_side(zk0: Zk0, tmp_path: Path, write_run: WriteRun) -> None:
    one = write_run(tmp_path / "one", (1, 1, 1, 1))
    other = write_run(tmp_path / "other", (1, 0, 0, 0))
    shown = zk0("compare", str(one), str(other))
    assert shown.status == 0
    assert "minus" in shown.out and "+75 points" in shown.out
    found = json.loads(zk0("compare", str(one), str(other), "--json").out)
    assert found["difference"]["mean"] == 0.75
    assert found["runs"][1]["starts"] == 4


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("compare a b c", "Error: compare takes one RUNFILE or two RUNs, got 3 paths\n"),
        ("compare nowhere.toml", "Error: run file nowhere.toml is not there; check the path\n"),
        (
            "compare --client sim:lift?region=left --evaluator policy-loss --seeds 1",
            "Error: a comparison needs two clients at least; add another --client\n",
        ),
    ],
)
def test_wrong_lines(zk0: Zk0, line: str, error: str) -> None:
    shown = zk0(*line.split())
    assert shown.status == 2
    assert shown.error == error
