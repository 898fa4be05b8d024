"""The table of strategies on the default task, made by its benchmark in its shortest form."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "strategies.py"


@pytest.mark.long
@pytest.mark.parametrize(("clients", "strategy"), [(4, "norm-clip"), (8, "bulyan")])
def test_a_table_of_one_round(tmp_path: Path, clients: int, strategy: str) -> None:
    short = ("--rounds", "1", "--seeds", "1", "--output", tmp_path / "runs")
    chosen = ("--clients", clients, "--only", strategy)
    command = [sys.executable, str(BENCHMARK), *map(str, (*chosen, *short))]
    first = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert sorted(first.stderr.splitlines()) == sorted(
        f"{name}, seed 0" for name in ("fedavg", strategy)
    )
    head, _, *rows = first.stdout.splitlines()
    assert head == (
        "| strategy | success | by seed | minus `fedavg` "
        "| left, of 15 | mid-left, of 16 | mid-right, of 16 | right, of 13 |"
    )
    assert len(rows) == 2
    assert any(re.match(r"\| `fedavg` \| \d+ % \[\d+, \d+\] \| \d+ \|  \|", row) for row in rows)
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (again.stderr, again.stdout) == ("", first.stdout)
