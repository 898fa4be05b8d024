"""Chains in real rounds: what the server computes is what each client trains with, and records."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zk0_core import Span

# A third party's schedule with a value for each client: none for `left`, twice mu for the others.
PLUGIN = """
from zk0_core import MuSchedulerPlugin, hookimpl

ZK0_API = 1


class ByName:
    def value(self, round, base, history, client=None):
        return base.scaled({None: 1.0, "left": 0.0}.get(client, 2.0))


@hookimpl
def zk0_mu_schedulers():
    yield MuSchedulerPlugin(name="by-name", summary="By name", build=lambda options: ByName())
"""

RUN_FILE = """
rounds = 2
local_steps = 3
batch_size = 8
lr = 1e-3
reporters = []

[policy]
name = "smolvla-tiny"

[strategy]
name = "fedprox"
mu = 0.01

[[clients]]
name = "left"
dataset = "sim:lift?region=mid-right&episodes=3"
[[clients]]
name = "right"
dataset = "sim:lift?region=right&episodes=3"

[[evaluations]]
dataset = "sim:lift?region=all&split=eval&episodes=2"
evaluator = "policy-loss"
"""

# The trend is a stall for as long as the loss is not zero; the client with the higher loss of two
# is boosted.
CHAIN = """
--scheduler warm-restarts --scheduler.warm-restarts.t-0 2
--scheduler trend --scheduler.trend.adjustment-window 2 --scheduler.trend.min-improvement 1
--scheduler adaptive-boost --scheduler.adaptive-boost.high-loss-multiplier 1
--scheduler.adaptive-boost.lr-boost-factor 8
--mu-scheduler by-name
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run with the chain, by the command line."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "by_name.py").write_text(PLUGIN)
    metadata = folder / "by_name-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: by-name\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[zk0]\nby-name = by_name\n")
    (folder / "run.toml").write_text(RUN_FILE)
    zk0 = Path(sys.executable).parent / "zk0"
    done = subprocess.run(
        [zk0, "run", "run.toml", *CHAIN.split(), "--output", "output"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "output"


@pytest.fixture
def rounds(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "history.jsonl").read_text().splitlines()]


def clients(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["client"]: entry for entry in record["clients"]}


def test_the_chain_reaches_each_client(rounds: list[dict[str, Any]]) -> None:
    first, second = clients(rounds[1]), clients(rounds[2])
    for entry in first.values():
        # Nothing is known yet. A cycle of two rounds: phases 0 to 1/2, then 1/2 to 1.
        assert entry["boost"] == 1.0
        assert entry["lr_span"] == [1e-3, 5e-7, 0.0, 0.5]
    high = max(first, key=lambda name: first[name]["policy_loss"])
    for name, entry in second.items():
        # One stall, capped at 1 / 1.05 before round 20. The floor of the chain is 5e-7.
        boost = 8.0 if name == high else 1.0
        hi, lo = 1e-3 / 1.05 * boost, max(5e-7, 5e-7 / 1.05 * boost)
        assert entry["lr_span"] == pytest.approx([hi, lo, 0.5, 1.0])
        assert entry["boost"] == pytest.approx(boost, rel=1e-2)


def test_what_a_client_reports_is_what_it_was_ordered(rounds: list[dict[str, Any]]) -> None:
    for record in rounds[1:]:
        for name, entry in clients(record).items():
            assert entry["lr"] == Span(*entry["lr_span"]).at(2, 3)
            assert entry["mu"] == (0.0 if name == "left" else 0.02)
    # What all have in common, apart from any client's own.
    assert rounds[1]["lr"] == Span(1e-3, 5e-7, 0.0, 0.5).at(2, 3)
    assert [record["mu"] for record in rounds[1:]] == [0.01, 0.01]


def test_a_client_obeys(rounds: list[dict[str, Any]]) -> None:
    first, second = clients(rounds[1]), clients(rounds[2])
    high = max(first, key=lambda name: first[name]["policy_loss"])
    low = min(first, key=lambda name: first[name]["policy_loss"])
    # AdamW's steps are as long as its learning rate: eight times, give or take.
    assert second[high]["update_norm"] > 3 * second[low]["update_norm"]
    for record in (first, second):
        assert record["left"]["prox_loss"] == 0.0
        assert record["right"]["prox_loss"] > 0.0


def test_the_clients_own_files_say_the_same(output: Path, rounds: list[dict[str, Any]]) -> None:
    for record in rounds[1:]:
        for name, entry in clients(record).items():
            path = output / "clients" / name / f"round_{record['round']}.json"
            assert json.loads(path.read_text()) == entry
