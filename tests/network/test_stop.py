"""A server that is stopped ends every process of its own by asking, whoever is connected."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.network.world import World, wait_until
from zk0_core.federation import nginx
from zk0_core.federation.processes import is_running
from zk0_core.federation.server import control_of, process_of

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]
NAMES = ("ann", "bob")


@pytest.fixture(params=["built-in", "nginx"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A server with two nodes, and what listens outside."""
    if request.param == "nginx" and not nginx.is_chosen("auto", tmp_path):
        pytest.skip("nginx is not installed here, or too old")
    world = World(tmp_path)
    try:
        world.start_server(front=request.param)
        for name in NAMES:
            world.enroll(name)
            world.start_node(name)
        world.await_nodes(*NAMES)
        yield world
    finally:
        world.close()


def submit(world: World, seconds: float) -> subprocess.Popen[bytes]:
    return world.start(
        *("-m", "zk0_cli", "run", str(world.run_file(*NAMES, rounds=1, seconds=seconds))),
        *("--federation", "main", "--min-clients", "2"),
        who="server",
        log=world.path / f"run-{seconds}.txt",
    )


def stop(world: World) -> None:
    """Stop the server; nothing of it is left, and nothing had to be killed."""
    process = process_of(world.server)
    assert process is not None
    below = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
    # Among them what serves a run while one goes on; child processes of nodes are none.
    assert len(below) >= 3
    done = world.zk0("server", "stop")
    assert done.returncode == 0, world.said()
    assert not [pid for pid in below if is_running(pid)]
    assert "is killed" not in (world.server.logs / "server.log").read_text(), world.said()


def test_every_process_ends_by_itself(pair: World) -> None:
    """After a run, and in the middle of one while somebody is connected and says nothing."""
    submitted = submit(pair, 0.0)
    wait_until("the run is done", lambda: submitted.poll() is not None)
    assert submitted.returncode == 0, pair.said()
    stop(pair)

    pair.start_again()
    pair.await_nodes(*NAMES)
    submit(pair, 600.0)
    wait_until("ann trains", lambda: pair.node("ann").get("state") == "training")
    # Flower's own server would wait half a minute for the end of this connection.
    with closing(control_of(pair.server)) as idle:
        assert {node.name for node in idle.nodes()} == set(NAMES)
        stop(pair)
