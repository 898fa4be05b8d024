"""A server and three nodes, with TLS and keys: the same bytes as the local engine."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from tests.network.crowd import NAMES, rounds, trained
from tests.network.world import World, wait_until
from tests.small_runs import history_without_times
from zk0_core.testing.examples import LENGTHS

pytestmark = pytest.mark.network


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
    local, remote = (history_without_times(folder, others=["dataset"]) for folder in both)
    assert local == remote


def test_records_name_no_dataset_of_a_node(both: tuple[Path, Path]) -> None:
    lines = (both[1] / "history.jsonl").read_text().splitlines()[1:]
    told = {client["dataset"] for line in lines for client in json.loads(line)["clients"]}
    assert told == {"toy"}


def test_a_second_round_loads_nothing(both: tuple[Path, Path], world: World) -> None:
    log = (world.node_folder("ann").logs / "ann.log").read_text()
    for stage in ("dataset opened in", "policy loaded in", "examples ready in"):
        assert log.count(stage) == 1, stage
    node = (world.node_folder("ann").logs / "node.log").read_text()
    assert [f"round {r}: loss" in node for r in (1, 2, 3)] == [True] * 3


def test_what_is_shown_of_the_federation(both: tuple[Path, Path], world: World) -> None:
    shown = json.loads(world.zk0("server", "status", "--json").stdout)
    assert [(node["name"], node["online"]) for node in shown["nodes"]] == [
        (name, True) for name in NAMES
    ]
    assert {tuple(node["dataset"].items()) for node in shown["nodes"]} == {
        (("kind", "toy"), ("name", None), ("episodes", len(LENGTHS)), ("frames", sum(LENGTHS)))
    }
    (run,) = shown["runs"]
    assert (run["state"], run["round"]) == ("done", 3)
    status = json.loads(world.zk0("client", "status", "--json", who="bob").stdout)
    assert (status["state"], status["rounds_done"], status["errors"]) == ("waiting", 3, 0)
    assert status["bytes_up"] > 0


def test_who_leaves_by_itself_and_who_has_another_version(
    both: tuple[Path, Path], world: World
) -> None:
    """One run: dan's client half is another one, eve leaves after a round, fay after a moment."""
    for name in ("dan", "eve", "fay"):
        world.enroll(name)
    world.start_node("dan", TOY_CLIENT_API="2")
    eve = world.start_node("eve", "--max-rounds", "1")
    fay = world.start_node("fay", "--max-hours", "1e-9")
    world.await_nodes("dan", "eve")
    assert wait_until("fay leaves", lambda: fay.poll() is not None and [fay.poll()]) == [0]
    assert (
        world.path / "fay.txt"
    ).read_text() == f"fay is ready for {world.address}, with toy:fay\n"

    output = world.path / "left"
    run_file = world.run_file("ann", rounds=2, seconds=1.0)
    done = world.zk0(
        *("run", run_file, "--federation", "main", "--output", output, "--min-clients", "4")
    )
    assert done.returncode == 0, done.stderr + world.said()
    assert wait_until("eve leaves", lambda: eve.poll() is not None and [eve.poll()]) == [0]
    assert "eve" in trained(output)[1]
    assert not [names for names in trained(output) if "dan" in names]
    said = (
        "client half of policy 'toy': this node has version 2 (zk0-toy 1.0), the server 1 "
        "(zk0-toy 1.0); install the same one on both"
    )
    assert world.node("dan")["last_error"] == said
    assert f"dan does not take part: {said}" in (output / "logs/server.log").read_text()
    # The admin is told where the run is followed, and finds it in what the run left.
    assert f"  refused dan: {said}\n" in done.stderr
    refused = [(e["round"], r["client"]) for e in rounds(output) for r in e["refused"]]
    assert [round for round, client in refused if client == "dan"] == [0]
    assert world.zk0("client", "stop", who="dan").returncode == 0


def test_the_superlink_says_of_a_run_that_it_is_unknown(world: World) -> None:
    with world.control() as control:
        assert control.run_state(12345) is None


def test_a_late_node_is_counted_and_not_waited_for(both: tuple[Path, Path], world: World) -> None:
    world.await_nodes(*NAMES)
    trainer = world.node("cem")["trainer"]
    output = world.path / "late"
    run_file = world.run_file("ann", rounds=2, seconds=1.0)
    submitted = world.start(
        *("-m", "zk0_cli", "run", str(run_file), "--federation", "main", "--output", str(output)),
        *("--min-clients", "3", "--round-timeout", "15"),
        who="server",
        log=world.path / "late.txt",
    )
    wait_until("cem trains", lambda: world.node("cem").get("step", 0) >= 1)
    os.kill(trainer, signal.SIGSTOP)
    assert submitted.wait() == 0, world.said()
    # Its node has ended it, stopped as it was: nobody wants the answer any more.
    wait_until("its trainer is another one", lambda: world.node("cem")["trainer"] != trainer)
    for entry in rounds(output)[1:]:
        assert {client["client"] for client in entry["clients"]} == {"ann", "bob"}
        assert [(r["client"], r["reason"]) for r in entry["refused"]] == [
            ("cem", "no answer within 15 s")
        ]
    log = (output / "logs/server.log").read_text()
    assert "cem refused: no answer within 15 s" in log
