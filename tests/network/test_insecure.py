"""Without TLS: between a server and nodes of one machine, and everything else as it is with TLS."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.network.typist import Typist, commands
from tests.network.world import SECONDS, World
from zk0_core.errors import Zk0Error
from zk0_core.federation.certificates import ensure_node_key
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.handshake import ServerAddress, check_server
from zk0_core.federation.records import NodeSettings, ServerSettings, read, write
from zk0_core.federation.server import process_of

pytestmark = pytest.mark.network
COMMANDS = commands("Without TLS, on one machine")


@pytest.fixture(scope="module")
def typist(world: World) -> Iterator[Typist]:
    """Types the page's commands; the server is started, for the first time, and told no host."""
    typist = Typist(world)
    typist.known |= {
        "server start": f"server start --front built-in --port {world.port}",
        "127.0.0.1:9443": world.address,
    }
    try:
        typist.type(COMMANDS[0])
        yield typist
    finally:
        for who, what in (("left-desk", "client"), ("server", "server")):
            world.zk0(what, "stop", who=who)


@pytest.fixture
def served(typist: Typist) -> World:
    return typist.world


def answer(world: World, *arguments: object, who: str = "server") -> str:
    done = world.zk0(*arguments, who=who)
    assert done.returncode == 0, done.stderr + world.said()
    return done.stdout


def refusal(world: World, *arguments: object, who: str) -> str:
    done = world.zk0(*arguments, who=who)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr.strip()


def post(world: World, path: str) -> int:
    where = http.client.HTTPConnection("127.0.0.1", world.port, timeout=SECONDS)
    with closing(where) as connection:
        connection.request("POST", path, b"", {"content-type": "application/protobuf"})
        return connection.getresponse().status


def test_it_says_so_and_has_no_authority(served: World) -> None:
    address = f"http://{served.address}"
    status = json.loads(answer(served, "server", "status", "--json"))
    assert (status["address"], status["authority"]) == (address, None)
    shown = answer(served, "server", "status")
    assert f"address     {address}\n" in shown
    assert "authority   none: without TLS, for this machine alone\n" in shown


def test_nodes_join_and_train(typist: Typist, served: World) -> None:
    """One with an invitation, one that is approved, both with keys; each agrees to no TLS."""
    _, join, enroll = COMMANDS
    invitation = answer(served, "server", "invite").strip()
    typist.known["zk0-invitation:WyJodH..."] = invitation
    careless = [word for word in typist.words(join) if word != "--insecure"]
    assert refusal(served, *careless, who="left-desk") == (
        f"Error: server http://{served.address} (the invitation's) has no TLS; agree to that with "
        "--insecure, or ask its admin to start it with --tls"
    )
    typist.type(join, "left-desk")

    line = typist.type(enroll, "right-desk").strip()
    settings = read(served.node_folder("right-desk").settings, NodeSettings)
    assert settings == NodeSettings(server=f"http://{served.address}", name="right-desk")
    answer(served, "server", "nodes", "approve", "right-desk", line.split("'")[1])
    served.start_node("right-desk")
    served.await_nodes("left-desk", "right-desk")

    output = served.path / "out"
    run = ("run", served.run_file("ann", rounds=2), "--federation", "main", "--output", output)
    answer(served, *run)
    lines = (output / "history.jsonl").read_text().splitlines()
    assert [len(json.loads(line)["clients"]) for line in lines] == [0, 2, 2]


def test_a_key_that_nobody_approved_is_refused(served: World) -> None:
    folder = served.node_folder("eve")
    key = ensure_node_key(folder.key)
    with pytest.raises(Zk0Error) as refused:
        check_server(ServerAddress.parse(f"http://{served.address}"), folder, "eve")
    assert str(refused.value) == (
        "the server does not know this node's key; its admin lets it in with: zk0 server nodes "
        f"approve eve '{key}'"
    )


def test_nothing_but_a_nodes_calls_gets_through(served: World) -> None:
    assert post(served, "/v1/control/list-runs") == 404
    assert post(served, "/v1/runtime/acquire-task") == 404
    # A node's call, without a key.
    assert post(served, "/v1/fleet/pull-messages") in (400, 401, 403)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ss")
def test_nothing_listens_outside_loopback(served: World) -> None:
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    process = process_of(served.server)
    assert process is not None
    ports = (served.port, process.control.rpartition(":")[2])
    found = [line.split()[3] for line in listening.splitlines()]
    for port in ports:
        assert [place for place in found if place.endswith(f":{port}")] == [f"127.0.0.1:{port}"]


def test_a_node_that_expects_tls(served: World) -> None:
    folder = NodeFolder(served.path / "other" / "client")
    ensure_node_key(folder.key)
    folder.ca.write_bytes(served.server.ca.read_bytes())
    with pytest.raises(Zk0Error) as refused:
        check_server(ServerAddress.parse(served.address), folder, "other")
    assert str(refused.value) == (
        f"what listens at {served.address} is no zk0 server; check the port"
    )


def test_a_server_with_tls_for_a_node_without(tmp_path_factory: pytest.TempPathFactory) -> None:
    other = World(tmp_path_factory.mktemp("tls"))
    try:
        other.start_server(front="built-in")
        other.await_server()
        ensure_node_key(other.node_folder("ann").key)
        plain = ServerAddress.parse(f"http://{other.address}")
        with pytest.raises(Zk0Error) as refused:
            check_server(plain, other.node_folder("ann"), "ann")
        assert str(refused.value) == (
            f"what listens at {plain} is no zk0 server; check the port, and that the server was "
            "started with --insecure"
        )
        invitation = answer(other, "server", "invite").strip()
        join = ("client", "start", "toy:ann", "--join", invitation, "--insecure")
        assert refusal(other, *join, who="ann") == (
            f"Error: server {other.address} (the invitation's) has TLS; leave --insecure out"
        )
    finally:
        other.close()


def test_whoever_wrote_the_settings_it_does_not_listen_outside(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    other = World(tmp_path_factory.mktemp("outside"))
    try:
        settings = ServerSettings(host="0.0.0.0", port=other.port, insecure=True)
        write(other.server.settings, settings)
        other.start_again()
        assert other.server_process is not None
        assert other.server_process.wait() == 2
        said = (other.path / "server.txt").read_text()
        assert f"Error: host '0.0.0.0' ({other.server.settings}) cannot do without TLS" in said
    finally:
        other.close()
