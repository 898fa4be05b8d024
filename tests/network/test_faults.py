"""What is killed, stopped, paused, or comes late: the run goes on, and says what happened."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.network.conftest import World, wait_until
from zk0_core.federation.processes import is_running
from zk0_core.federation.records import RunEntry
from zk0_core.federation.runs import Runs
from zk0_core.federation.server import process_of

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]
NAMES = ("ann", "bob", "cem")
STEP_SECONDS = 1.0
"""A round has three steps: long enough to be hit in its middle."""


@pytest.fixture(scope="module")
def crowd(world: World) -> Iterator[World]:
    world.start_server()
    for name in NAMES[:2]:
        world.enroll(name)
        world.start_node(name)
    world.enroll("cem")
    world.await_nodes("ann", "bob")
    yield world


@pytest.fixture(autouse=True)
def nothing_goes_on(crowd: World) -> Iterator[None]:
    """Begin when all nodes are free, and leave no run behind when a test fails in its middle."""
    for name in NAMES:
        wait_until(f"{name} is free", lambda name=name: crowd.node(name).get("state") != "training")
    yield
    for entry in Runs(crowd.server).all():
        if not entry.over:
            crowd.zk0("stop", entry.name)


def submit(world: World, rounds: int, **asked: object) -> tuple[subprocess.Popen[bytes], Path]:
    """Submit a run with the command; return it and the run's output folder."""
    run_file = world.run_file("ann", rounds=rounds, seconds=STEP_SECONDS)
    output = world.path / f"out-{len(list(world.path.glob('out-*')))}"
    flags = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    process = world.start(
        *("-m", "zk0_cli", "run", str(run_file), "--federation", "main"),
        *("--output", str(output), *flags),
        who="server",
        log=world.path / f"{output.name}.txt",
    )
    return process, output


def rounds(output: Path) -> list[dict[str, Any]]:
    path = output / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def trained(output: Path) -> list[set[str]]:
    """Return whose updates counted, round by round."""
    return [{client["client"] for client in entry["clients"]} for entry in rounds(output)]


def await_training(world: World, name: str) -> None:
    wait_until(
        f"{name} trains",
        lambda: world.node(name).get("state") == "training" and world.node(name)["round"] >= 1,
    )


def await_round(world: World, output: Path, number: int) -> None:
    try:
        wait_until(f"round {number}", lambda: len(rounds(output)) > number)
    except AssertionError as late:
        raise AssertionError(f"{late}\n{world.said()}") from None


def ends_well(world: World, process: subprocess.Popen[bytes], output: Path, number: int) -> None:
    status = wait_until("the run ends", lambda: process.poll() is not None and [process.poll()])
    assert status == [0], world.said()
    assert [entry["round"] for entry in rounds(output)] == list(range(number + 1))


def children(pid: int, name: str) -> list[int]:
    """Return the processes that `pid` started whose command line has `name`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and name in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def test_a_node_that_joins_and_one_that_leaves(crowd: World) -> None:
    """One node comes after the start; bob leaves cleanly, and nobody waits for him."""
    process, output = submit(crowd, rounds=500, **{"min-clients": 2})
    await_round(crowd, output, 1)
    crowd.start_node("cem")
    wait_until("cem trains", lambda: crowd.node("cem").get("rounds_done", 0) >= 1)
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
    """With steps of minutes, nodes are free again long before one would be over."""
    run_file = crowd.run_file("ann", rounds=2, seconds=600.0)
    process = crowd.start(
        *("-m", "zk0_cli", "run", str(run_file), "--federation", "main", "--min-clients", "1"),
        who="server",
        log=crowd.path / "stopped.txt",
    )
    await_training(crowd, "ann")
    trainer = crowd.node("ann")["trainer"]
    assert crowd.zk0("stop").returncode == 0
    assert wait_until("it ends", lambda: process.poll() is not None and [process.poll()]) == [1]
    said = (crowd.path / "stopped.txt").read_text()
    assert "stopped: asked for with zk0 stop" in said
    wait_until("the trainer stops", lambda: not is_running(trainer), seconds=120)
    wait_until("ann is free", lambda: crowd.node("ann").get("state") == "waiting")


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


def test_a_superlink_that_is_killed(crowd: World) -> None:
    process, output = submit(crowd, rounds=4, **{"min-clients": 2})
    await_round(crowd, output, 1)
    (superlink,) = children(process_of(crowd.server).pid, "zk0_core.federation.superlink")
    os.kill(superlink, signal.SIGKILL)
    ends_well(crowd, process, output, 4)
    assert "superlink ended (killed by signal 9)" in (crowd.server.logs / "server.log").read_text()


def test_a_launcher_that_is_killed(crowd: World) -> None:
    process, output = submit(crowd, rounds=4, **{"min-clients": 2})
    await_round(crowd, output, 1)
    (launcher,) = children(process_of(crowd.server).pid, "zk0_core.federation.launcher")
    os.kill(launcher, signal.SIGKILL)
    ends_well(crowd, process, output, 4)
    assert "launcher ended (killed by signal 9)" in (crowd.server.logs / "server.log").read_text()


def test_a_server_that_is_killed_goes_on_where_it_was(crowd: World) -> None:
    process, output = submit(crowd, rounds=4, **{"min-clients": 2})
    await_round(crowd, output, 1)
    assert crowd.server_process
    crowd.server_process.kill()
    crowd.server_process.wait()
    wait_until("its children are gone", lambda: not listening(crowd.port))
    crowd.start_server()
    ends_well(crowd, process, output, 4)
    (*_, entry) = Runs(crowd.server).all()
    assert isinstance(entry, RunEntry)
    assert entry.state == "done"


@pytest.mark.parametrize("killed", ["pid", "supernode"])
def test_a_node_that_is_killed_comes_back(crowd: World, killed: str) -> None:
    """The whole node, started again by hand; or its SuperNode, which the node starts again."""
    process, output = submit(crowd, rounds=500, **{"min-clients": 2})
    await_training(crowd, "cem")
    os.kill(crowd.node("cem")[killed], signal.SIGKILL)
    if killed == "pid":
        crowd.start_node("cem")
    wait_until("a round without cem", lambda: "cem" in refused(output))
    lost = len(rounds(output))
    wait_until("cem is back", lambda: any("cem" in t for t in trained(output)[lost:]))
    assert set(refused(output)) == {"cem"}
    assert crowd.zk0("stop").returncode == 0
    wait_until("the run ends", lambda: process.poll() is not None)


def refused(output: Path) -> list[str]:
    return [refusal["client"] for entry in rounds(output) for refusal in entry["refused"]]


def listening(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
