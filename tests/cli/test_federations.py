"""What the commands of federations refuse, each in one line with the fix."""

import socket
from pathlib import Path

import pytest

from zk0_core.errors import UsageError
from zk0_core.federation.folder import NodeFolder, ServerFolder
from zk0_core.federation.processes import free_port
from zk0_core.federation.records import NodeSettings, ServerSettings, read, write
from zk0_core.federation.signals import only_one


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZK0_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def enrolled(home: Path) -> None:
    write(NodeFolder.of("main").settings, NodeSettings(server="127.0.0.1:9443", name="left"))


@pytest.fixture
def served_once(home: Path) -> None:
    write(ServerFolder.of("main").settings, ServerSettings())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "client start sim:lift",
            "this machine has no node of federation 'main'; enroll it first: zk0 client enroll "
            "--server HOST:PORT --authority FINGERPRINT --node NAME",
        ),
        (
            "client install-service sim:lift",
            "this machine has no node of federation 'main'; enroll it first: zk0 client enroll "
            "--server HOST:PORT --authority FINGERPRINT --node NAME",
        ),
        (
            "client start local:/nowhere/desk",
            "dataset 'local:/nowhere/desk': there is no folder /nowhere/desk; check the path",
        ),
        (
            "client start sim:lift --cpu --device cuda",
            "--cpu and --device cuda exclude each other; keep one",
        ),
        (
            "client start sim:lift --node left",
            "--node goes with --join; zk0 client enroll names a node otherwise",
        ),
        (
            "client start sim:lift --join nonsense",
            "'nonsense…' is no invitation; copy the whole string that zk0 server invite printed",
        ),
        (
            "client start sim:lift --insecure",
            "--insecure goes with --join; zk0 client enroll takes it otherwise",
        ),
        (
            "client enroll --server arms:9443",
            "either --authority, the fingerprint that zk0 server status shows, or --insecure for a "
            "server without TLS on this machine; give one of them",
        ),
        (
            "client enroll --server arms:9443 --authority system --insecure",
            "either --authority, the fingerprint that zk0 server status shows, or --insecure for a "
            "server without TLS on this machine; give one of them",
        ),
        (
            "client enroll --server arms.example.org:9443 --insecure",
            "host 'arms.example.org' (--server) cannot do without TLS: everybody on the way could "
            "read and change what is sent. --insecure goes with 127.0.0.1, ::1, localhost; choose "
            "one of them, or leave --insecure out and name the server's authority",
        ),
        (
            "client enroll --server http://localhost:9443 --authority system",
            "server http://localhost:9443 (--server) has no TLS; agree to that with --insecure, or "
            "ask its admin to start it with --tls",
        ),
        (
            "server start --insecure --host 0.0.0.0",
            "host '0.0.0.0' (--host) cannot do without TLS: everybody on the way could read and "
            "change what is sent. --insecure goes with 127.0.0.1, ::1, localhost; choose one of "
            "them, or start with --tls",
        ),
        (
            "server start --insecure --front nginx",
            "--front nginx is for a server that others reach, and --insecure for this machine "
            "alone; leave --front nginx out, or start with --tls",
        ),
        (
            "server start --insecure --address arms.example.org",
            "--address is for a server that others reach, and --insecure for this machine alone; "
            "leave --address out, or start with --tls",
        ),
        (
            "client enroll --server arms --authority system",
            "server address 'arms' is not HOST:PORT; write it as zk0 server start shows it, such "
            "as arms.example.org:9443",
        ),
        (
            "client enroll --server arms:9443 --authority 3f9a",
            "--authority 3f9a is neither a file nor a fingerprint of 64 hexadecimal digits; zk0 "
            "server status shows it",
        ),
        (
            "client enroll --server arms:9443 --authority system --node ../up",
            "node name '../up' cannot be a file's name; use letters, digits, '-', '_' and '.', and "
            "none of server, worker, node, supernode, start",
        ),
        (
            "client status",
            "no node of federation 'main' runs here; zk0 client start URI",
        ),
        (
            "server status --name ../up",
            "federation name '../up' cannot be a folder's; use letters, digits, '-', '_' and '.'",
        ),
        (
            "server stop",
            "the server of federation 'main' does not run here; zk0 server start --name main",
        ),
        (
            "server start --cert a.pem",
            "--cert and --key go together; give both",
        ),
        (
            "server start --cert a.pem --key a.key --no-cert",
            "--cert a.pem and --no-cert exclude each other; keep one",
        ),
        (
            "server start --address arms --no-address",
            "--address arms and --no-address exclude each other; keep one",
        ),
        (
            "server start --cert a.pem --key a.key",
            "--cert a.pem is not there; check the path",
        ),
        (
            "server start --auto run.toml",
            "--auto needs --min-clients K: how many nodes a session starts with",
        ),
        (
            "server start --auto run.toml --no-auto",
            "--auto run.toml and --no-auto exclude each other; keep one",
        ),
        (
            "server start --no-auto --afresh",
            "--afresh is for sessions, and --no-auto ends them; keep one",
        ),
        (
            "server start --afresh",
            "--afresh is for sessions; add --auto RUNFILE, which starts them",
        ),
        (
            "run --federation main --device cuda:99",
            "device cuda:99 is not usable here; choose --device auto or cpu for the server, nodes "
            "choose their own, or see zk0 doctor",
        ),
        (
            "client install-service local:/data/desk --rename front",
            "--rename front is not OLD=NEW",
        ),
        (
            "server logs",
            "federation 'main' has no server here; zk0 server start makes one",
        ),
        (
            "status --federation arms",
            "federation 'arms' has no server here; zk0 server start makes one",
        ),
        (
            "run --wait 5 --dry-run",
            "--wait goes with --federation NAME; add it, or leave --wait out",
        ),
        (
            "run --federation main",
            "the server of federation 'main' does not run here; zk0 server start --name main",
        ),
    ],
)
def test_what_is_refused(zk0, line: str, error: str) -> None:
    shown = zk0(*line.split())
    assert (shown.status, shown.error) == (2, f"Error: {error}\n")


@pytest.mark.usefixtures("served_once")
@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("logs", "there is no run yet; zk0 run --federation NAME submits one"),
        ("stop one", "there is no run 'one'; the last ones are: none"),
        (
            "server start --insecure",
            "host '0.0.0.0' (--host of an earlier start, which is kept) cannot do without TLS: "
            "everybody on the way could read and change what is sent. --insecure goes with "
            "127.0.0.1, ::1, localhost; choose one of them, or start with --tls",
        ),
    ],
)
def test_what_is_refused_of_a_server_that_was_started_once(zk0, line: str, error: str) -> None:
    shown = zk0(*line.split())
    assert (shown.status, shown.error) == (2, f"Error: {error}\n")


def test_a_port_in_use(zk0) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = zk0("server", "start", "--host", "127.0.0.1", "--port", str(port))
    assert (shown.status, shown.error) == (
        2,
        f"Error: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with "
        "--host and --port, or stop what uses it\n",
    )


def test_what_sessions_are_asked_for_is_kept(zk0, run_file: str) -> None:
    """The server itself does not start: another one has its folder."""
    folder = ServerFolder.of("main")

    def start(*flags: str) -> ServerSettings:
        port = str(free_port())
        shown = zk0("server", "start", "--host", "127.0.0.1", "--port", port, *flags)
        assert shown.error == (
            "Error: the server did not start: the server of 'main' runs already; zk0 server "
            f"status --name main; logs are in {folder.logs}\n"
        )
        settings = read(folder.settings, ServerSettings)
        assert settings is not None
        return settings

    with only_one(folder.lock, "busy"):
        first = start("--auto", run_file, "--min-clients", "3", "--round-timeout", "600")
        assert (first.min_clients, first.round_seconds, first.series) == (3, 600.0, 1)
        second = start("--afresh")
        assert (second.auto, second.round_seconds, second.series) == (first.auto, 600.0, 2)
        third = start("--round-timeout", "0")
        assert (third.round_seconds, third.series) == (0.0, 2)


def test_runs_are_listed(zk0, served_once) -> None:
    from zk0_core.federation.runs import Runs
    from zk0_core.testing import examples

    runs = Runs(ServerFolder.of("main"))
    entry = runs.change(runs.submit(examples.plan()), state="failed", reason="nobody came")
    shown = zk0("status")
    assert shown.status == 0
    head, row = shown.out.splitlines()
    assert head.split() == ["RUN", "IS", "ROUND", "SUBMITTED", "WHY"]
    assert row.split()[:2] == [entry.name, "failed"]
    assert row.endswith("nobody came")


def test_a_run_that_ended_before_its_time_is_queued_again(zk0, served_once) -> None:
    from zk0_core.federation.runs import Runs, run_that_writes
    from zk0_core.testing import examples

    folder = ServerFolder.of("main")
    runs = Runs(folder)
    entry = runs.submit(examples.plan())
    with pytest.raises(UsageError, match=f"'{entry.name}' goes on; zk0 logs -f {entry.name} foll"):
        runs.queue_again(entry)
    runs.tell_outcome(entry.name, "the disk is full")
    runs.ask_to_stop(entry.name)
    entry = runs.change(entry, state="failed", reason="the disk is full", attempts=3)

    output = Path(entry.folder)
    output.mkdir()
    assert run_that_writes(output) == (folder, entry)
    assert run_that_writes(output.parent) is None
    shown = zk0("resume", str(output))
    assert shown.error.startswith("Error: the server of federation 'main' does not run here")
    again = runs.queue_again(entry)
    assert (again.state, again.reason, again.attempts, again.ended) == ("queued", "", 0, "")
    assert runs.outcome(entry.name) is None
    assert not runs.to_be_stopped(entry.name)
    with pytest.raises(UsageError, match="is done; zk0 run --federation starts another"):
        runs.queue_again(runs.change(again, state="done"))
