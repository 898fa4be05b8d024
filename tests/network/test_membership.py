"""Nodes that join late, leave, pause, or are told to stop: nobody waits for them."""

import pytest

from tests.network.crowd import (
    await_round,
    await_training,
    ends_well,
    submit,
    trained,
)
from tests.network.world import World, wait_until
from zk0_core.federation.processes import is_running

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("nothing_goes_on")]


def test_a_node_that_joins_and_one_that_leaves(crowd: World) -> None:
    """One node comes after the start; bob leaves cleanly, and nobody waits for him."""
    process, output = submit(crowd, rounds=500, **{"min-clients": 2})
    await_round(crowd, output, 1)
    crowd.start_node("cem")
    crowd.await_nodes("cem")
    going_on = len(trained(output))  # round 0, which nobody trains in, is among them
    await_round(crowd, output, going_on + 1)
    assert "cem" in trained(output)[going_on + 1]
    assert crowd.zk0("client", "stop", who="bob").returncode == 0
    assert crowd.node("bob") == {}
    wait_until("a round without bob", lambda: trained(output)[-1] == {"ann", "cem"})
    assert trained(output)[1] == {"ann", "bob"}
    assert crowd.zk0("stop").returncode == 0
    wait_until("the run ends", lambda: process.poll() is not None)
    log = (output / "logs/server.log").read_text()
    assert "cem joins" in log
    assert "bob has left" in log


def test_stop_ends_training(crowd: World) -> None:
    """With a cache that takes minutes to make, nodes are free again long before it is whole."""
    run_file = crowd.run_file("ann", rounds=2, cache_seconds=600.0)
    process = crowd.start(
        *("-m", "zk0_cli", "run", str(run_file), "--federation", "main", "--min-clients", "1"),
        who="server",
        log=crowd.path / "stopped.txt",
    )
    await_training(crowd, "ann")
    wait_until("ann tells of it", lambda: crowd.node("ann")["preparing"] == "toy cache: 0/1")
    trainer = crowd.node("ann")["trainer"]
    assert crowd.zk0("stop").returncode == 0
    assert wait_until("it ends", lambda: process.poll() is not None and [process.poll()]) == [1]
    said = (crowd.path / "stopped.txt").read_text()
    assert "stopped: asked for with zk0 stop" in said
    wait_until("the trainer stops", lambda: not is_running(trainer), seconds=120)
    wait_until("ann is free", lambda: crowd.node("ann").get("state") == "waiting")
    free = crowd.node("ann")
    assert free["preparing"] == ""
    assert is_running(free["trainer"])


def test_a_paused_node_takes_no_work(crowd: World) -> None:
    paused = crowd.zk0("client", "pause", who="cem")
    assert (paused.returncode, paused.stdout) == (0, "the node is paused\n")
    trainer = crowd.node("cem")["trainer"]
    process, output = submit(crowd, rounds=1, **{"min-clients": 1})
    ends_well(crowd, process, output, 1)
    assert trained(output)[1] == {"ann"}
    resumed = crowd.zk0("client", "resume", who="cem")
    assert resumed.returncode == 0, resumed.stderr
    crowd.await_nodes("cem")
    assert crowd.node("cem")["trainer"] == trainer
