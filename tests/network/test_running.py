"""Whether a server or a node runs: its lock says so, and no process id that was written down."""

import fcntl
import os
import socket
import threading
from pathlib import Path

import pytest

from zk0_core.errors import UsageError
from zk0_core.federation.folder import NodeFolder, ServerFolder
from zk0_core.federation.node import run_node
from zk0_core.federation.node_options import NodeOptions
from zk0_core.federation.node_status import StatusFile, status_of
from zk0_core.federation.records import NodeStatus, ServerProcess, ServerSettings, read, write
from zk0_core.federation.server import process_of, serve
from zk0_core.federation.signals import is_held, only_one

# After a loss of power, a stranger may have the number of a server: here it is this test.
SERVER = ServerProcess(pid=os.getpid(), started="", address="", control="")
NODE = NodeStatus(pid=os.getpid(), name="ann", server="", dataset="", started="")


def test_a_server_runs_while_it_holds_its_lock(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path)
    write(folder.process, SERVER)
    assert process_of(folder) is None
    with only_one(folder.lock, "busy"):
        assert process_of(folder) == SERVER
    assert process_of(folder) is None


def test_a_node_runs_while_it_holds_its_lock(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path)
    write(folder.status, NODE)
    assert status_of(folder) is None
    with only_one(folder.lock, "busy"):
        assert status_of(folder) == NODE
    assert status_of(folder) is None


def test_what_a_killed_one_wrote_does_not_pass_for_the_next(tmp_path: Path) -> None:
    """Who starts holds the lock at once, and writes down who it is some time later."""
    server, node = ServerFolder(tmp_path / "server"), NodeFolder(tmp_path / "client")
    write(server.process, SERVER)
    write(node.status, NODE)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServerSettings(host="127.0.0.1", port=taken.getsockname()[1])
        write(server.settings, settings)
        with pytest.raises(UsageError, match="cannot listen on"):
            serve(server)
    with pytest.raises(UsageError, match="has no node of federation"):
        run_node(node, NodeOptions(dataset="toy:ann"), print)
    assert not server.process.exists()
    assert not node.status.exists()


def test_a_start_ends_a_pause(tmp_path: Path) -> None:
    node = NodeFolder(tmp_path / "client")
    node.path.mkdir()
    node.paused.touch()
    # One that runs is left as it is.
    with only_one(node.lock, "busy"), pytest.raises(UsageError) as busy:
        run_node(node, NodeOptions(dataset="toy:ann"), print)
    assert str(busy.value) == (
        f"the node in {node.path} runs already; zk0 client status, or another folder for another "
        "node (ZK0_HOME)"
    )
    assert node.paused.exists()
    with pytest.raises(UsageError, match="has no node of federation"):
        run_node(node, NodeOptions(dataset="toy:ann"), print)
    assert not node.paused.exists()


def test_a_status_that_cannot_be_written_ends_no_node(tmp_path: Path, logged: list[str]) -> None:
    """As on a full disk; here a folder is in its way."""
    node = NodeFolder(tmp_path)
    node.status.mkdir()
    status = StatusFile(node, NODE)
    status.say()
    status.say(state="waiting")
    status.note("the trainer was killed")
    problem, told = logged
    assert problem.startswith(f"{node.status} cannot be written (")
    assert problem.endswith("); the node goes on")
    assert told == "the trainer was killed"
    assert (status.now.state, status.now.errors) == ("waiting", 1)
    node.status.rmdir()
    # Nothing is new, but the file lacks what was said meanwhile.
    status.say(state="waiting")
    assert read(node.status, NodeStatus) == status.now
    node.status.unlink()
    node.status.mkdir()
    status.say(state="training")
    assert len(logged) == 3


def test_whoever_asks_is_in_nobodys_way(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with only_one(lock, "busy"):
        assert is_held(lock)
        with pytest.raises(UsageError, match=r"^busy$"), only_one(lock, "busy"):
            pass
    with lock.open("rb") as asking:
        # As `is_held` does, but for longer.
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_held(lock)
        threading.Timer(0.05, fcntl.flock, (asking, fcntl.LOCK_UN)).start()
        with only_one(lock, "busy"):
            assert is_held(lock)
