"""Whole runs of the real thing, small: two clients, three episodes each, two rounds."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.small_runs import history_without_times, model_hash, small_plan
from zk0_core.engines.local import LocalGrid
from zk0_core.engines.ray import WatchedGrid, gpu_share
from zk0_core.engines.workers import Workers
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.plan import PluginChoice
from zk0_core.run import run
from zk0_core.runfile import plan_to_json


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "reference"
    return run(small_plan(), folder).folder


def test_a_run_leaves_what_it_promises(reference: Path) -> None:
    for name in (
        "plan.toml",
        "history.jsonl",
        "federated_metrics.json",
        "policy_loss_history.json",
        "server/round_2_server_eval.json",
        "clients/right/round_1.json",
        "models/final/model.safetensors",
        "models/final/config.json",
        "models/final/policy_preprocessor.json",
        "models/final/policy_postprocessor.json",
        "evaluate/round_2/lift-all/start_0.mp4",
        "evaluate/round_2/lift-all/start_0.json",
        "evaluate/video_analysis.json",
        "charts/run.png",
        "logs/server.log",
        "logs/right.log",
    ):
        assert (reference / name).is_file(), name
    assert not (reference / "spool").exists()
    evaluation = json.loads((reference / "server/round_2_server_eval.json").read_text())
    assert evaluation["refused"] == []
    assert [entry["client"] for entry in evaluation["individual"]] == ["mid-right", "right"]
    metrics = json.loads((reference / "federated_metrics.json").read_text())
    assert [entry["round"] for entry in metrics] == [0, 1, 2]
    assert metrics[1]["num_clients"] == 2
    assert metrics[0]["policy_loss"] > 0


def test_one_worker_gives_the_same_bytes_as_two(reference: Path, tmp_path: Path) -> None:
    again = run(small_plan(workers=1), tmp_path / "one").folder
    assert model_hash(again) == model_hash(reference)
    assert history_without_times(again) == history_without_times(reference)


def test_ray_gives_the_same_bytes_as_local(reference: Path, tmp_path: Path) -> None:
    # In a process of its own, since Ray leaves processes and sockets to be collected.
    program = (
        "import sys; from pathlib import Path; from zk0_core.run import run; "
        "from zk0_core.runfile import plan_from_json; "
        "run(plan_from_json(sys.stdin.read()), Path(sys.argv[1]))"
    )
    again = tmp_path / "ray"
    done = subprocess.run(
        [sys.executable, "-c", program, str(again)],
        input=plan_to_json(small_plan(engine="ray")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert model_hash(again) == model_hash(reference)
    assert history_without_times(again) == history_without_times(reference)
    for client in ("right", "mid-right"):
        log = (again / "logs" / f"{client}.log").read_text().splitlines()
        assert [line for line in log if f" {client}: round 2: loss " in line], log
        assert all(f" {client}: " in line for line in log)


@pytest.mark.parametrize(
    ("actors", "gpus", "share"),
    [
        (4, 0, 0.0),
        (2, 4, 1.0),
        (4, 4, 1.0),
        # Two on one of the GPUs: a share of 3/4 would leave no GPU with room for the fourth.
        (4, 3, 0.5),
        (3, 1, 0.3333),
    ],
)
def test_actors_of_ray_share_the_gpus(actors: int, gpus: int, share: float) -> None:
    assert gpu_share(actors, gpus) == share


def test_nobody_waits_for_a_ray_that_has_ended(tmp_path: Path) -> None:
    over = threading.Event()
    grid = WatchedGrid(LocalGrid([], tmp_path, Workers(1, 1)), over)
    assert list(grid.get_node_ids()) == []
    assert grid.pull_messages([]) == []
    over.set()
    with pytest.raises(Zk0Error, match="Ray has ended in the middle of the run, most often since"):
        grid.pull_messages([])


def test_ray_hands_out_gpus_itself(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        run(small_plan(engine="ray", device="cuda:1"), tmp_path / "run")
    assert str(refused.value) == (
        "device 'cuda:1' cannot be chosen with engine 'ray', which hands out GPUs itself; "
        'write device = "cuda", or choose --engine local'
    )


def test_mu_of_zero_is_fedavg(tmp_path: Path) -> None:
    without = run(small_plan(strategy=PluginChoice("strategy", "fedavg")), tmp_path / "avg")
    zero = PluginChoice("strategy", "fedprox", {"mu": 0.0})
    prox = run(small_plan(strategy=zero), tmp_path / "prox")
    assert model_hash(without.folder) == model_hash(prox.folder)


def test_only_trainable_tensors_travel(reference: Path) -> None:
    client = json.loads((reference / "clients/right/round_1.json").read_text())
    # 1,227,144 trainable parameters: a byte each up, two down. Beside them scales, and what says
    # which tensors they are.
    assert 1_227_144 < client["bytes_up"] < 1_227_144 + 60_000
    assert 2 * 1_227_144 < client["bytes_down"] < 2 * 1_227_144 + 60_000


def test_an_output_folder_in_use_is_refused(reference: Path) -> None:
    with pytest.raises(UsageError, match=r"output folder .* is in use; choose another"):
        run(small_plan(), reference)
