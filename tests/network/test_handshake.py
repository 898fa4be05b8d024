"""What keeps a node from connecting is told in one line, with the fix."""

import datetime
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.network.hello import Serve
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation import certificates, connecting
from zk0_core.federation.certificates import ensure_authority, fingerprint
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.handshake import (
    Connected,
    NotYet,
    ServerAddress,
    check_server,
    fetch_authority,
)
from zk0_core.federation.processes import free_port
from zk0_core.wire.orders import WIRE_VERSION


def refusal(address: ServerAddress, node: NodeFolder, kind: type[Zk0Error] = Zk0Error) -> str:
    with pytest.raises(Zk0Error) as refused:
        check_server(address, node, "left")
    assert type(refused.value) is kind
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_node_that_may_come(serve: Serve, node: NodeFolder) -> None:
    check_server(serve(), node, "left")


@pytest.mark.parametrize(
    "text", ["arms", "arms:", ":9443", "https://arms:9443", "arms:x", "a:70000"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        ServerAddress.parse(text)
    assert str(refused.value) == (
        f"server address '{text}' is not HOST:PORT; write it as zk0 server start shows it, such as "
        "arms.example.org:9443"
    )


def test_addresses_are_taken_apart() -> None:
    assert ServerAddress.parse("arms:9443") == ServerAddress("arms", 9443)
    assert ServerAddress.parse("[::1]:9443") == ServerAddress("::1", 9443)
    assert str(ServerAddress("::1", 9443)) == "[::1]:9443"


def test_nobody_listens(serve: Serve, node: NodeFolder) -> None:
    serve()
    port = free_port()
    assert refusal(ServerAddress("127.0.0.1", port), node, NotYet) == (
        f"nobody listens at 127.0.0.1:{port}; check the address and the port, and that the server "
        "runs: zk0 server status"
    )


def test_there_is_no_such_host(serve: Serve, node: NodeFolder) -> None:
    serve()
    assert refusal(ServerAddress("nowhere.invalid", 9443), node) == (
        "there is no host 'nowhere.invalid'; check the server's address"
    )


@pytest.fixture
def dropping() -> Iterator[tuple[str, int]]:
    """Yield where what is sent is dropped, as a firewall does: nobody takes up connections."""
    with ExitStack() as opened:
        listening = opened.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Called with (host, port) pairs: they are the places of every host from then on."""

    def resolve(*places: tuple[str, int]) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", p) for p in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    return resolve


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a full backlog does")
def test_the_addresses_of_a_host_share_the_time(
    serve: Serve,
    node: NodeFolder,
    dropping: tuple[str, int],
    resolve: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    class Waiting(socket.socket):
        def connect(self, address: Any) -> None:
            waits.append(self.gettimeout() or 0.0)
            super().connect(address)

    serve()
    monkeypatch.setattr(socket, "socket", Waiting)
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 0.6)
    resolve(dropping, dropping, dropping)
    assert refusal(ServerAddress("arms.example.org", 9443), node, NotYet) == (
        "arms.example.org:9443 does not answer within 12 s; check the address, and that firewalls "
        "let it through"
    )
    assert len(waits) == 3
    assert sum(waits) <= 0.6


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a full backlog does")
def test_an_address_that_answers_is_found_behind_one_that_drops(
    serve: Serve,
    node: NodeFolder,
    dropping: tuple[str, int],
    resolve: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = serve()
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 2.0)
    resolve(dropping, (address.host, address.port))
    check_server(address, node, "left")


def test_what_listens_speaks_no_tls(serve: Serve, node: NodeFolder) -> None:
    serve()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert refusal(ServerAddress("127.0.0.1", port), node) == (
            f"what listens at 127.0.0.1:{port} is no zk0 server; check the port"
        )
        thread.join()


def test_another_authority(serve: Serve, node: NodeFolder, tmp_path: Path) -> None:
    address = serve()
    node.ca.write_bytes(ensure_authority(tmp_path / "other").read_bytes())
    said = refusal(address, node)
    assert said.startswith(
        f"the certificate of {address} is not from the authority that this node trusts ("
    )
    assert said.endswith(
        "); check the address, or enroll again with the authority that zk0 server status shows"
    )


def test_an_expired_certificate(
    serve: Serve, node: NodeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "BACKDATED", datetime.timedelta(days=400))
    monkeypatch.setattr(certificates, "SERVER_DAYS", -1)
    address = serve()
    said = refusal(address, node)
    assert said.startswith(f"the certificate of {address} has expired, if this machine's clock (2")
    assert said.endswith("zk0 server status, on the server, says how to have a new one")


def test_a_clock_that_is_behind_the_certificate(
    serve: Serve, node: NodeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates.ensure_authority(node.path.parent / "certificates")
    monkeypatch.setattr(certificates, "BACKDATED", datetime.timedelta(days=-1))
    address = serve()
    said = refusal(address, node)
    assert said.startswith(
        f"the certificate of {address} does not hold yet by this machine's clock"
    )
    assert said.endswith("set the clock right, for example with sudo timedatectl set-ntp true")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(86400 * 2, "2 days behind"), (-86400 * 2, "2 days ahead of"), (-600, "10 minutes ahead of")],
)
def test_a_clock_that_is_off(serve: Serve, node: NodeFolder, seconds: float, words: str) -> None:
    assert refusal(serve(ahead=seconds), node) == (
        f"the clock of this machine is {words} the server's; set it right, for example with "
        "sudo timedatectl set-ntp true"
    )


def test_a_certificate_for_another_name(serve: Serve, node: NodeFolder) -> None:
    assert refusal(serve(names=("arms.example.org",)), node) == (
        "the certificate of 127.0.0.1 is for another name; use the address that zk0 server status "
        "shows, or have the admin add this one: zk0 server start --address 127.0.0.1"
    )


def test_messages_of_another_version(serve: Serve, node: NodeFolder) -> None:
    assert refusal(serve(wire=WIRE_VERSION + 1), node, UsageError) == (
        f"the server's messages have version {WIRE_VERSION + 1}, this node's {WIRE_VERSION}; "
        "install the same version of zk0 on both"
    )


def test_a_key_that_nobody_approved(serve: Serve, node: NodeFolder) -> None:
    said = refusal(serve(name=None), node, NotYet)
    assert said.startswith(
        "the server does not know this node's key; its admin lets it in with: "
        "zk0 server nodes approve left 'ecdsa-sha2-nistp384 "
    )


def test_a_key_with_another_name(serve: Serve, node: NodeFolder) -> None:
    assert refusal(serve(name="right"), node, UsageError) == (
        "the server knows this key as 'right', not 'left'; enroll again with --node right, or have "
        "the admin remove that one: zk0 server nodes remove right"
    )


def test_two_nodes_with_one_key(serve: Serve, node: NodeFolder) -> None:
    said = refusal(serve(online=True), node, Connected)
    assert said.startswith("a node with this key is connected already: every node needs a key of")
    assert said.endswith("wait, or start with --retry")


def test_a_server_that_is_not_ready(serve: Serve, node: NodeFolder) -> None:
    address = serve(status=503, error="the server is starting; try again")
    assert refusal(address, node, NotYet) == f"{address}: the server is starting; try again"


def test_a_node_that_was_never_enrolled(serve: Serve, node: NodeFolder) -> None:
    address = serve()
    node.ca.unlink()
    assert refusal(address, node, UsageError) == (
        f"{node.ca} is not there; enroll first: zk0 client enroll --server HOST:PORT "
        "--authority FINGERPRINT --node NAME"
    )


def test_an_authority_is_known_by_its_fingerprint(
    serve: Serve, node: NodeFolder, tmp_path: Path
) -> None:
    pem = ensure_authority(tmp_path / "certificates").read_text()
    address = serve(certificate=pem)
    wanted = fingerprint(pem.encode())
    assert fetch_authority(address, wanted.upper()) == pem.encode()
    with pytest.raises(UsageError) as refused:
        fetch_authority(address, "0" * 64)
    assert str(refused.value) == (
        f"the authority of {address} has the fingerprint {wanted}, not {'0' * 64}; check the "
        "address, and ask the server's admin for what zk0 server status shows"
    )
