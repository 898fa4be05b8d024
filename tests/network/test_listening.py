"""What a server listens on, for every kind of address; and the certificate that it shows there."""

import socket
import ssl
from collections.abc import Iterator

import psutil
import pytest
from cryptography import x509

from tests.command import Zk0
from tests.network.world import SECONDS, World, wait_until
from zk0_core.errors import UsageError
from zk0_core.federation import certificates
from zk0_core.federation.authority import ensure_shown
from zk0_core.federation.nginx import program
from zk0_core.federation.processes import free_port
from zk0_core.federation.records import ServerSettings, read
from zk0_core.federation.server import process_of

pytestmark = pytest.mark.network
LOOPBACK = ("127.0.0.1", "::1")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture(
    scope="module", params=["0.0.0.0 built-in", "0.0.0.0 nginx", ":: built-in", ":: nginx"]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    host, front = request.param.split()
    if host == "::" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    if front == "nginx":
        try:
            program()
        except UsageError:
            pytest.skip("nginx is not installed")
    world = World(tmp_path_factory.mktemp("listening"))
    try:
        world.start_server(host=host, front=front)
        world.await_server()
        yield world
    finally:
        world.close()


def settings_of(world: World) -> ServerSettings:
    settings = read(world.server.settings, ServerSettings)
    assert settings is not None
    return settings


def shown(world: World, host: str = "127.0.0.1") -> x509.Certificate:
    """Return the certificate that the server shows at `host`, to who trusts its authority."""
    context = ssl.create_default_context(cafile=str(world.server.ca))
    with (
        socket.create_connection((host, world.port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        der = secure.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def test_only_the_front_listens_outside_loopback(served: World) -> None:
    """Of all sockets of all processes of the server."""
    process = process_of(served.server)
    assert process is not None
    server = psutil.Process(process.pid)
    family = [server, *server.children(recursive=True)]
    sockets = [one for member in family for one in member.net_connections("inet")]
    listening = {tuple(one.laddr) for one in sockets if not one.raddr}
    outside = {place for place in listening if place[0] not in LOOPBACK}
    assert outside == {(settings_of(served).host, served.port)}
    host, _, port = process.control.rpartition(":")
    assert (host, int(port)) in listening


def test_it_is_reached_by_ipv4_and_where_it_listens_on_both_by_ipv6(served: World) -> None:
    shown(served, "127.0.0.1")
    if settings_of(served).host == "::":
        shown(served, "::1")


def test_a_certificate_that_ends_soon_is_made_anew_while_it_runs(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shown(served)
    # As if a year had gone by.
    monkeypatch.setattr(certificates, "SERVER_DAYS", 20)
    path = served.server.certificates / "server.crt"
    monkeypatch.setattr(certificates, "RENEW_DAYS", 1000)
    ensure_shown(served.server, settings_of(served))
    serials = {first.serial_number, x509.load_pem_x509_certificate(path.read_bytes()).serial_number}
    last = wait_until("another one is shown", lambda: shown_but(serials, served))
    left = last.not_valid_after_utc - first.not_valid_after_utc
    assert abs(left.days) <= 1
    process = process_of(served.server)
    assert process is not None and served.server_process.poll() is None


def shown_but(serials: set[int], world: World) -> x509.Certificate | None:
    found = shown(world)
    return None if found.serial_number in serials else found


def test_an_invitation_that_names_an_address_that_nobody_gave_says_so(
    served: World, zk0: Zk0, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZK0_HOME", str(served.path / "server"))
    invited = zk0("server", "invite")
    assert invited.out.startswith("zk0-invitation:")
    assert invited.error == (
        f"the invitation names this machine as {socket.gethostname()}:{served.port}; if nodes "
        "reach it by another name, stop the server, zk0 server start --address HOST, and invite "
        "again\n"
    )


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_port_that_is_taken_on_ipv4_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World(tmp_path_factory.mktemp("taken"))
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        world.port = taken.getsockname()[1]
        done = world.zk0("server", "start", "--host", "::", "--port", world.port)
    assert done.returncode == 2
    assert done.stderr == (
        f"Error: cannot listen on [::]:{world.port}: Address already in use; choose another with "
        "--host and --port, or stop what uses it\n"
    )
