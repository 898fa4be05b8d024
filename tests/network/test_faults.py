"""What is killed, be it the server's or a node's: the run goes on, and says what happened."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.network.crowd import (
    await_round,
    await_training,
    ends_well,
    rounds,
    submit,
    trained,
)
from tests.network.world import World, wait_until
from zk0_core.federation.records import RunEntry
from zk0_core.federation.runs import Runs
from zk0_core.federation.server import process_of

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("nothing_goes_on")]


def test_a_trainer_that_is_killed(crowd: World) -> None:
    process, output = submit(crowd, rounds=3, **{"min-clients": 2})
    await_training(crowd, "ann")
    wait_until("its steps are told", lambda: crowd.node("ann").get("step", 0) >= 1)
    assert crowd.node("ann")["steps"] == 3
    os.kill(crowd.node("ann")["trainer"], signal.SIGKILL)
    ends_well(crowd, process, output, 3)
    reasons = [r["reason"] for entry in rounds(output) for r in entry["refused"]]
    assert [r for r in reasons if "the trainer was killed by signal 9; was memory short?" in r]
    assert "ann" in trained(output)[3]


def test_a_trainer_that_cannot_open_its_dataset_again(crowd: World) -> None:
    """A node that was connected goes on trying, and nobody waits for it meanwhile."""
    unplugged = crowd.path / "ann" / "unplugged"
    unplugged.touch()
    os.kill(crowd.node("ann")["trainer"], signal.SIGKILL)
    wait_until("ann tries again", lambda: crowd.node("ann").get("state") == "trying again")
    assert crowd.node("ann")["last_error"] == "toy:ann: its disk is not there; plug it in"
    wait_until("ann is away", lambda: "ann" not in crowd.online())
    unplugged.unlink()
    crowd.await_nodes("ann")
    wait_until("ann is ready", lambda: crowd.node("ann").get("state") == "waiting")


def kill_child(world: World, name: str) -> None:
    """Kill the process of the server that runs the module `name`."""
    process = process_of(world.server)
    assert process is not None
    children = psutil.Process(process.pid).children()
    (child,) = [child for child in children if f"zk0_core.federation.{name}" in child.cmdline()]
    child.kill()


def test_a_server_that_loses_its_processes_and_is_killed_itself(crowd: World) -> None:
    """One run outlives all three, and ends with every round in its history."""
    process, output = submit(crowd, rounds=6, **{"min-clients": 2})
    for number, name in enumerate(("superlink", "launcher"), start=1):
        await_round(crowd, output, number)
        kill_child(crowd, name)
    await_round(crowd, output, 3)
    assert crowd.server_process
    crowd.server_process.kill()
    crowd.server_process.wait()
    wait_until("its children are gone", lambda: not listening(crowd.port))
    crowd.start_server()
    ends_well(crowd, process, output, 6)
    log = (crowd.server.logs / "server.log").read_text()
    for name in ("superlink", "launcher"):
        assert f"{name} ended (killed by signal 9)" in log
    (*_, entry) = Runs(crowd.server).all()
    assert isinstance(entry, RunEntry)
    assert entry.state == "done"


def test_a_node_that_is_killed_comes_back(crowd: World) -> None:
    """Its SuperNode, which the node starts again; then the whole node, started again by hand."""
    crowd.start_node("cem")
    crowd.await_nodes("cem")
    process, output = submit(crowd, rounds=500, **{"min-clients": 3})
    for killed in ("supernode", "pid"):
        await_training(crowd, "cem")
        missed = refused(output).count("cem")
        os.kill(crowd.node("cem")[killed], signal.SIGKILL)
        if killed == "pid":
            crowd.start_node("cem")
        await_back(output, missed)
    assert set(refused(output)) == {"cem"}
    assert crowd.zk0("stop").returncode == 0
    wait_until("the run ends", lambda: process.poll() is not None)


def await_back(output: Path, missed: int) -> None:
    """Wait for a round without cem, after `missed` others, and then for one with it."""
    wait_until("a round without cem", lambda: refused(output).count("cem") > missed)
    lost = len(rounds(output))
    wait_until("cem is back", lambda: any("cem" in names for names in trained(output)[lost:]))


def refused(output: Path) -> list[str]:
    return [refusal["client"] for entry in rounds(output) for refusal in entry["refused"]]


def listening(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
