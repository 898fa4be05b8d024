"""Without TLS a node signs its requests with its key all the same; Flower's own refuses to."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answering import Asked, answering
from zk0_core.engines import _flower_network
from zk0_core.engines._flower_network import Fleet
from zk0_core.federation.certificates import ensure_node_key, load_node_key
from zk0_core.federation.processes import free_port

Seen = list[tuple[str, bool]]
"""Paths that were asked for, and whether the request was signed."""


@pytest.fixture
def server() -> Iterator[tuple[str, Seen]]:
    """Yield where something listens that knows nobody, and what it was asked."""
    seen: Seen = []

    def know_nobody(asked: Asked) -> tuple[int, bytes]:
        seen.append((asked.path, "flwr-signature" in asked.headers))
        return 404, b""

    with answering(know_nobody) as address:
        yield address, seen


def test_the_runner_asks_with_its_key(server: tuple[str, Seen], tmp_path: Path) -> None:
    address, seen = server
    ensure_node_key(tmp_path / "key")
    fleet = Fleet(address, None, load_node_key(tmp_path / "key"))
    assert not fleet.goes_on(1, 2)
    fleet.close()
    assert seen == [("/v1/fleet/get-run", True)]


def test_the_runner_waits_for_no_answer_that_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits longer hears at last that there is no such run."""
    monkeypatch.setattr(_flower_network, "ANSWER_SECONDS", 0.2)
    given_up = threading.Event()

    def know_nobody(asked: Asked) -> tuple[int, bytes]:
        given_up.wait(10)
        return 404, b""

    ensure_node_key(tmp_path / "key")
    with answering(know_nobody) as address:
        fleet = Fleet(address, None, load_node_key(tmp_path / "key"))
        assert fleet.goes_on(1, 2)
        given_up.set()
        fleet.close()


def test_the_supernode_connects_with_its_key(server: tuple[str, Seen], tmp_path: Path) -> None:
    address, seen = server
    ensure_node_key(tmp_path / "key")
    command = (
        *("-m", "zk0_core.federation.supernode", "30", str(tmp_path / "pieces")),
        *("--superlink", address, "--insecure"),
        *("--auth-supernode-private-key", str(tmp_path / "key"), "--isolation", "process"),
        *("--host", "127.0.0.1", "--port", str(free_port())),
    )
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    # Nobody knows it; that it asked, and how, is the point.
    assert done.returncode != 0
    assert ("/v1/fleet/activate-node", True) in seen, done.stdout + done.stderr
