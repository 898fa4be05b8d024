"""What somebody can do from outside with nothing but the authority's certificate: nothing."""

import contextlib
import http.client
import json
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.proto.message_pb2 import PushObjectRequest

from tests.network.world import SECONDS, World, wait_until
from zk0_core.engines._flower_control import Control
from zk0_core.engines._flower_network import NODE_CALLS, Fleet
from zk0_core.engines._flower_tasks import TaskSource
from zk0_core.engines.bundle import bundle
from zk0_core.engines.quiet import PIECE_BYTES
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.certificates import ensure_node_key
from zk0_core.federation.nginx import program
from zk0_core.federation.server import process_of

pytestmark = pytest.mark.network


@pytest.fixture(scope="module", params=["built-in", "nginx"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    if request.param == "nginx":
        try:
            program()
        except UsageError:
            pytest.skip("nginx is not installed")
    world = World(tmp_path_factory.mktemp(request.param))
    try:
        world.start_server(front=request.param)
        world.await_server()
        yield world
    finally:
        world.close()


class Outside:
    """Talks to the public port, and trusts its authority."""

    def __init__(self, world: World) -> None:
        self._world = world

    def post(self, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        return self.ask("POST", path, body, **headers)

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> http.client.HTTPResponse:
        context = ssl.create_default_context(cafile=str(self._world.server.ca))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._world.port, timeout=SECONDS, context=context
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response


@pytest.fixture
def outside(served: World) -> Outside:
    return Outside(served)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/control/list-runs",
        "/v1/control/start-run",
        "/v1/control/stop-run",
        "/v1/control/list-nodes",
        "/v1/control/register-node",
        "/v1/control/stream-logs",
        "/v1/runtime/acquire-task",
        "/v1/runtime/pull-task-input",
        "/v1/fleet/register-node",
        "/v1/fleet/unregister-node",
        "/v1/responses",
        "/health",
        "/docs",
        "/openapi.json",
        "/",
    ],
)
def test_nothing_but_a_nodes_calls_gets_through(outside: Outside, path: str) -> None:
    assert outside.post(path, content_type="application/protobuf").status == 404
    assert outside.ask("GET", path).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/fleet/../control/list-runs",
        "/v1/fleet/%2e%2e/control/list-runs",
        "/v1/fleet//activate-node",
        "//v1/control/list-runs",
        "/v1/fleet/activate-node/../../control/list-runs",
        "/v1/fleet/activate-node?x=/v1/control/list-runs",
        "/v1/fleet/activate%2dnode",
        "/V1/FLEET/activate-node",
        "/v1/fleet/activate-node#/../../control/list-runs",
    ],
)
def test_no_other_spelling_gets_through(outside: Outside, path: str) -> None:
    assert outside.post(path, content_type="application/protobuf").status == 404


def test_an_absolute_address_in_the_request_does_not_get_through(served: World) -> None:
    control = process_of(served.server).control
    for line in (f"POST https://{control}/v1/control/list-runs", f"CONNECT {control}"):
        answer = raw(served, f"{line} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        assert answer.split(b" ")[1] in (b"400", b"404"), answer


def test_a_second_request_hidden_in_the_first_does_not_get_through(served: World) -> None:
    hidden = b"POST /v1/control/list-runs HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
    both = (
        b"POST /v1/fleet/activate-node HTTP/1.1\r\nhost: x\r\n"
        b"content-type: application/protobuf\r\ntransfer-encoding: chunked\r\n"
        b"content-length: 5\r\n\r\n0\r\n\r\n" + hidden
    )
    answer = raw(served, both)
    assert b" 200 " not in answer


def test_a_large_piece_of_a_message_gets_through(outside: Outside) -> None:
    """It is the SuperLink that refuses it, since no node signed it."""
    piece = PushObjectRequest(object_content=bytes(PIECE_BYTES)).SerializeToString()
    response = outside.post("/v1/fleet/push-object", piece, content_type="application/protobuf")
    assert response.status == 401


@pytest.mark.parametrize("call", NODE_CALLS)
def test_a_node_without_a_key_is_refused(outside: Outside, call: str) -> None:
    response = outside.post(f"/v1/fleet/{call}", b"", content_type="application/protobuf")
    assert response.status == 401


@pytest.mark.parametrize("call", NODE_CALLS)
def test_a_node_with_an_unknown_key_is_refused(outside: Outside, call: str) -> None:
    from flwr.supercore.primitives.asymmetric import public_key_to_bytes, sign_message

    key = ec.generate_private_key(ec.SECP384R1())
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    response = outside.post(
        f"/v1/fleet/{call}",
        b"",
        content_type="application/protobuf",
        flwr_public_key=b64encode(public_key_to_bytes(key.public_key())).decode(),
        flwr_timestamp=moment,
        flwr_signature=b64encode(sign_message(key, moment.encode())).decode(),
    )
    assert response.status in (401, 403, 404)


def test_the_control_api_is_not_outside(served: World) -> None:
    control = Control(served.address, served.server.ca)
    with pytest.raises(Zk0Error):
        control.nodes()
    with pytest.raises(Zk0Error):
        control.start_run(bundle(), "mine")
    with pytest.raises(Zk0Error):
        control.register("mine", b"")
    control.close()


def test_no_task_is_taken_from_outside(served: World) -> None:
    source = TaskSource(served.address, b"guessed")
    assert source.take(served.path) is None
    source.close()


def test_a_superexec_without_the_secret_gets_nothing(served: World) -> None:
    # Inside, on this machine: the SuperLink itself asks for the secret.
    import httpx
    from flwr.proto.runtime_pb2 import AcquireTaskRequest
    from flwr.supercore.runtime import RuntimeHttpClient

    control = process_of(served.server).control
    client = RuntimeHttpClient.from_server_address(
        server_address=control,
        insecure=False,
        root_certificates=str(served.server.ca),
        interceptors=[],
    )
    with pytest.raises(httpx.HTTPStatusError) as refused:
        client.AcquireTask(AcquireTaskRequest(supported_task_types=["flwr-serverapp"]))
    assert refused.value.response.status_code in (401, 403)
    client.close()


def test_an_unknown_node_learns_nothing_of_runs(served: World) -> None:
    fleet = Fleet(served.address, served.server.ca, ec.generate_private_key(ec.SECP384R1()))
    assert not fleet.goes_on(1, 1)
    fleet.close()


def test_a_large_request_is_cut_off(served: World) -> None:
    head = (
        b"POST /zk0/hello HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 100000000\r\n\r\n"
    )
    assert b" 413 " in raw(served, head + b" " * 20_000)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"nonsense", b'{"public_key": 1e999}', b"\xff"]
)
def test_malformed_questions_are_refused(outside: Outside, content: bytes) -> None:
    assert outside.post("/zk0/join", content).status == 400


def test_a_guessed_invitation_is_refused(outside: Outside, served: World, tmp_path: Path) -> None:
    key = ensure_node_key(tmp_path / "node.key")
    for public_key in (key, "ecdsa-sha2-nistp384 AAAA"):
        asked = {"token": "guessed", "name": "mine", "public_key": public_key}
        assert outside.post("/zk0/join", json.dumps(asked).encode()).status == 403
    with served.control() as control:
        assert control.nodes() == []


def test_without_tls_there_is_no_answer(served: World) -> None:
    with socket.create_connection(("127.0.0.1", served.port), SECONDS) as plain:
        plain.sendall(b"POST /zk0/hello HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(1000)


def test_after_all_that_the_server_still_serves(served: World) -> None:
    wait_until("the server answers", lambda: Outside(served).post("/zk0/authority").status == 200)


def raw(world: World, request: bytes) -> bytes:
    """Send bytes as they are; return the beginning of the answer."""
    context = ssl.create_default_context(cafile=str(world.server.ca))
    with (
        socket.create_connection(("127.0.0.1", world.port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(request)
        return secure.recv(4096)
