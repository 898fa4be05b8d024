"""What goes wrong at a first contact, as an operator sees it: one line, and an exit status.

The texts are those of test_handshake.py; here the command is started. With --retry it says the
same and goes on trying.
"""

import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.network.hello import Serve
from tests.network.world import PLUGIN, wait_until
from zk0_core.federation import certificates
from zk0_core.federation.certificates import ensure_authority
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.handshake import ServerAddress
from zk0_core.federation.processes import free_port
from zk0_core.federation.records import NodeSettings, write

pytestmark = pytest.mark.network


@attrs.frozen
class Fault:
    """What is wrong, and what is said of it."""

    status: int
    says: str
    """{} is the server's address."""
    dataset: str = "toy:left"


FAULTS = {
    "wrong address": Fault(1, "nobody listens at {}; check the address and the port"),
    "wrong port": Fault(1, "what listens at {} is no zk0 server; check the port"),
    "expired": Fault(1, "the certificate of {} has expired, if this machine's clock"),
    "another authority": Fault(1, "the certificate of {} is not from the authority that this"),
    "clock": Fault(1, "the clock of this machine is 24 hours behind the server's; set it right"),
    "same key": Fault(1, "a node with this key is connected already: every node needs a key of"),
    "another version": Fault(2, "the server's messages have version 99, this node's "),
    "not approved": Fault(1, "the server does not know this node's key; its admin lets it in with"),
    "no dataset": Fault(2, "toy:missing: there is no such dataset; choose another", "toy:missing"),
    "no folder": Fault(2, "dataset 'local:/nowhere': there is no folder", "local:/nowhere"),
}


@pytest.fixture
def home(tmp_path: Path) -> NodeFolder:
    return NodeFolder(tmp_path / "home" / "federations" / "main" / "client")


@pytest.fixture(params=FAULTS)
def fault(
    request: pytest.FixtureRequest,
    serve: Serve,
    home: NodeFolder,
    node: NodeFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Fault]:
    """A node that is enrolled, and the fault; `says` has the address."""
    name = request.param
    if name == "expired":
        monkeypatch.setattr(certificates, "BACKDATED", datetime.timedelta(days=400))
        monkeypatch.setattr(certificates, "SERVER_DAYS", -1)
    answers = {
        "clock": {"ahead": 86400.0},
        "same key": {"online": True},
        "another version": {"wire": 99},
        "not approved": {"name": None},
    }
    address = serve(**answers.get(name, {}))
    certificate = node.ca
    if name == "another authority":
        certificate = ensure_authority(tmp_path / "other")
    if name == "wrong address":
        address = ServerAddress("127.0.0.1", free_port())
    with socket.create_server(("127.0.0.1", 0)) as plain:
        if name == "wrong port":
            address = ServerAddress("127.0.0.1", plain.getsockname()[1])
            threading.Thread(target=_greet, args=(plain,), daemon=True).start()
        home.path.mkdir(parents=True)
        home.ca.write_bytes(certificate.read_bytes())
        write(home.settings, NodeSettings(server=str(address), name="left"))
        known = FAULTS[name]
        yield attrs.evolve(known, says=known.says.format(address))


def _greet(listening: socket.socket) -> None:
    """Answer as a server of something else does, until the test is over."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")


def start(home: NodeFolder, dataset: str, *flags: str, log: Path) -> subprocess.Popen[bytes]:
    paths = [str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"ZK0_HOME": str(home.path.parents[2]), "PYTHONPATH": os.pathsep.join(paths)}
    with log.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "zk0_cli", "client", "start", dataset, "--cpu", *flags],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def test_one_line_and_an_exit_status(fault: Fault, home: NodeFolder, tmp_path: Path) -> None:
    log = tmp_path / "said.txt"
    process = start(home, fault.dataset, log=log)
    status = process.wait()
    (line,) = log.read_text().splitlines()
    assert line.startswith(f"Error: {fault.says}")
    assert status == fault.status
    assert not home.status.exists()


@pytest.mark.parametrize("fault", ["wrong address", "expired", "no dataset"], indirect=True)
def test_with_retry_it_says_the_same_and_goes_on(
    fault: Fault, home: NodeFolder, tmp_path: Path
) -> None:
    log = tmp_path / "said.txt"
    process = start(home, fault.dataset, "--retry", "--foreground", log=log)
    try:
        wait_until("it tries again", lambda: log.read_text().count("; trying again in ") >= 2)
        assert process.poll() is None
        first, second, *_ = log.read_text().splitlines()
        assert first.startswith(fault.says) and first.endswith("; trying again in 1 s")
        assert second.startswith(fault.says) and second.endswith("; trying again in 2 s")
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert not home.status.exists()


def test_one_that_downloads_for_hours_is_seen_and_stopped(
    serve: Serve, home: NodeFolder, node: NodeFolder, tmp_path: Path
) -> None:
    write(home.settings, NodeSettings(server=str(serve()), name="left"))
    home.ca.write_bytes(node.ca.read_bytes())
    (tmp_path / "home" / "downloading").touch()
    log = tmp_path / "said.txt"
    process = start(home, "toy:left", "--foreground", log=log)

    def zk0(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "zk0_cli", "client", *words],
            env={**os.environ, "ZK0_HOME": str(home.path.parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )

    try:
        wait_until("it says what it does", home.status.exists)
        seen = zk0("status", "--json")
        assert seen.returncode == 0, seen.stderr
        assert json.loads(seen.stdout)["state"] == "starting"
        stopped = zk0("stop")
        assert (stopped.returncode, stopped.stdout) == (0, "the node has ended\n"), stopped.stderr
    finally:
        process.terminate()
    assert process.wait() == 0
    assert log.read_text() == ""
    assert not home.status.exists()


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "zk0_cli", "server", "start"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            env={**os.environ, "ZK0_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with "
        "--host and --port, or stop what uses it\n"
    )
