"""A server and three nodes, with TLS and keys: the same bytes as the local engine."""

import json
import threading
from pathlib import Path

import pytest

from tests.network.conftest import World

pytestmark = pytest.mark.network
NAMES = ("ann", "bob", "cem")
TIMES = ("seconds", "seconds_data", "seconds_compute", "dataset")


@pytest.fixture(scope="module")
def both(world: World) -> tuple[Path, Path]:
    """The same run file on the local engine, and by nodes."""
    world.start_server()
    run_file = world.run_file(*NAMES)
    done = []
    local = threading.Thread(
        target=lambda: done.append(world.zk0("run", run_file, "--output", "local"))
    )
    local.start()
    for name in NAMES:
        world.enroll(name)
        world.start_node(name)
    world.await_nodes(*NAMES)
    remote = world.zk0("run", run_file, "--federation", "main", "--output", "remote")
    local.join()
    assert done[0].returncode == 0, done[0].stderr
    assert remote.returncode == 0, remote.stderr + world.said()
    return world.path / "local", world.path / "remote"


def test_final_parameters_are_the_same_bytes(both: tuple[Path, Path]) -> None:
    local, remote = (folder / "models/final/model.safetensors" for folder in both)
    assert local.read_bytes() == remote.read_bytes()


def test_the_history_is_the_same(both: tuple[Path, Path]) -> None:
    def timeless(value: object) -> object:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in TIMES}
        return [timeless(entry) for entry in value] if isinstance(value, list) else value

    local, remote = (
        [timeless(json.loads(line)) for line in (f / "history.jsonl").read_text().splitlines()]
        for f in both
    )
    assert [entry["params_hash"] for entry in local] == [e["params_hash"] for e in remote]
    assert local == remote


def test_a_second_round_loads_nothing(both: tuple[Path, Path], world: World) -> None:
    log = (world.node_folder("ann").logs / "ann.log").read_text()
    assert log.count("dataset opened") == 1
    node = (world.node_folder("ann").logs / "node.log").read_text()
    assert [f"round {r}: loss" in node for r in (1, 2, 3)] == [True] * 3


def test_what_is_shown_of_the_federation(both: tuple[Path, Path], world: World) -> None:
    shown = json.loads(world.zk0("server", "status", "--json").stdout)
    assert [(node["name"], node["online"]) for node in shown["nodes"]] == [
        (name, True) for name in NAMES
    ]
    (run,) = shown["runs"]
    assert (run["state"], run["round"]) == ("done", 3)
    status = json.loads(world.zk0("client", "status", "--json", who="bob").stdout)
    assert (status["state"], status["rounds_done"], status["errors"]) == ("waiting", 3, 0)
    assert status["bytes_up"] > 0
