"""The comparison with plain Flower, in its shortest form: that it runs, not what it finds."""

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module("network")


def test_breakdown_of_rounds(network: Any) -> None:
    """Two rounds of two nodes; the second one has no end, as nothing begins after it."""
    first = [("begin", 10.0), ("train", 11.0), ("train", 12.0), ("update", 13.0), ("update", 15.0)]
    second = [("begin", 18.0), ("train", 19.0), ("train", 19.0), ("update", 20.0), ("update", 20.0)]
    stamps = [*first, ("averaged", 15.5), *second, ("averaged", 21.0)]
    (only,) = network.breakdown(stamps, [0.5, 0.25])
    assert only == network.Round(out=2.0, training=0.5, back=2.5, averaging=0.5, between=2.5)
    assert (only.exchange, only.whole) == (5.0, 8.0)
    assert network.medians([only, only])["seconds_back"] == 2.5


@pytest.mark.long
def test_the_comparison_runs() -> None:
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--short"]
    command += ["--one", "exchange_400mb_over_flower"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measure = json.loads(done.stdout.splitlines()[-1])
    assert measure["value"] == measure["ours"] / measure["theirs"]
    assert measure["facts"].keys() >= {"bfloat16_over_float32", "seconds_out", "seconds_whole"}
    assert all(map(math.isfinite, measure["facts"].values()))
