"""The benchmarks' program: which results it keeps, and what it says of a missing GPU."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("run")


def test_measures_of_one_commit_are_kept_together(bench: Any, tmp_path: Path) -> None:
    results = tmp_path / "latest.json"
    facts = {"commit": "a", "processor": "p"}
    bench.add(results, facts, "first", {"value": 1})
    bench.add(results, facts, "second", {"value": 2})
    kept = json.loads(results.read_text())
    assert kept.pop("date")
    assert kept == {**facts, "first": {"value": 1}, "second": {"value": 2}}
    bench.add(results, {**facts, "commit": "b"}, "second", {"value": 3})
    assert json.loads(results.read_text()).keys() == {"commit", "processor", "date", "second"}


def test_results_as_a_table(bench: Any) -> None:
    taken = {"value": 5.25, "ours": 1.0, "theirs": 5.25, "samples": 3, "facts": {"wall": 20.123456}}
    alone = {**taken, "theirs": None, "facts": {}}
    rows = bench.table({"commit": "a", "round_over_training": taken, "help_seconds": alone})
    assert rows[2:] == [
        "| `round_over_training` "
        "| A round's wall time over the busiest worker's training, 4 clients. "
        "| 5.25 | 1 | 5.25 | 3 | wall 20.12 |",
        "| `help_seconds` | Seconds until `zk0 --help` has answered. | 5.25 | 1 |  | 3 |  |",
    ]


def test_measures_are_taken_and_said() -> None:
    """In their shortest form, of which no result is kept."""
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--short", "--only"]
    kept = (BENCHMARKS / "latest.json").read_bytes()
    done = subprocess.run(
        [*command, "help_seconds", "plugins_list_seconds"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    machine, *lines = done.stdout.splitlines()
    assert re.search(r"[0-9a-f]{40}.*, \d+ cores, load \d+\.\d$", machine)
    assert [re.sub(r"\b\d[\d.]*", "N", line) for line in lines] == [
        "help_seconds N  (N)  Seconds until `zk0 --help` has answered.",
        "plugins_list_seconds N  (N)  Seconds until `zk0 plugins list` has answered.",
    ]
    assert (BENCHMARKS / "latest.json").read_bytes() == kept


def test_the_page_has_the_last_figures(bench: Any) -> None:
    taken = json.loads((BENCHMARKS / "latest.json").read_text())
    page = (BENCHMARKS.parent / "docs" / "performance.md").read_text(encoding="utf-8")
    assert "\n".join(bench.table(taken)) in page
    assert taken["commit"][:7] in page and taken["processor"] in page


def test_a_missing_gpu_is_said() -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--gpu"]
    without = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=without, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "finds no GPU on this machine; run it on one with an NVIDIA GPU" in done.stderr
    assert done.stderr.count("\n") == 1


COMPARE = """
import sys
import models, training
uri = "sim:lift?region=left&episodes=1"
print(training.compare(models.tiny(uri), uri, 4, 3, 3, amp=sys.argv[1] == "bf16").loss_difference)
"""


@pytest.mark.long
@pytest.mark.parametrize(("precision", "most"), [("float32", 1e-6), ("bf16", 0.05)])
def test_both_training_loops_have_the_same_losses(precision: str, most: float) -> None:
    """In mixed precision ours has computed the frozen network in float32, once."""
    command = [sys.executable, "-W", "ignore", "-c", COMPARE, precision]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) < most
