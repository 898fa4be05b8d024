"""A server that shows a certificate from elsewhere: nodes are told to trust what it is from."""

import json
import ssl
from collections.abc import Iterator

import pytest

from tests.foreign import ForeignAuthority
from tests.network.world import World, wait_until
from zk0_core.errors import Zk0Error
from zk0_core.federation.certificates import ensure_node_key, fingerprint
from zk0_core.federation.handshake import NotYet, ServerAddress, check_server
from zk0_core.federation.records import ServerSettings, read

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> ForeignAuthority:
    return ForeignAuthority(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="module")
def served(world: World, foreign: ForeignAuthority) -> Iterator[World]:
    certificate, key = foreign.sign(days=20.5)
    where = ("--host", "127.0.0.1", "--port", world.port, "--address", "arms.example.org")
    answer(world, "server", "start", *where, "--cert", certificate, "--key", key)
    try:
        yield world
    finally:
        world.zk0("server", "stop")


def answer(world: World, *arguments: object, who: str = "server") -> str:
    done = world.zk0(*arguments, who=who)
    assert done.returncode == 0, done.stderr + world.said()
    return done.stdout


def test_status_says_what_to_trust_and_that_the_certificate_ends_soon(
    served: World, foreign: ForeignAuthority
) -> None:
    status = json.loads(answer(served, "server", "status", "--json"))
    assert status["authority"] == fingerprint(foreign.root)
    shown = answer(served, "server", "status")
    until = status["certificate_until"][:10]
    folder = foreign.root.parent
    assert (
        f"certificate {folder / 'server.pem'} holds until {until}, in 20 days; put a new one "
        f"there, and its key into {folder / 'server.key'}: the server takes them up by itself\n"
    ) in shown


def test_nodes_reach_it_by_invitation_by_file_and_by_fingerprint(
    served: World, foreign: ForeignAuthority
) -> None:
    invitation = answer(served, "server", "invite").strip()
    served.start_node("ann", "--join", invitation, "--node", "ann")
    for name, authority in (("bob", foreign.root), ("eve", fingerprint(foreign.root))):
        trusted = ("--server", served.address, "--authority", authority)
        line = answer(served, "client", "enroll", *trusted, "--node", name, who=name)
        if name == "bob":
            answer(served, "server", "nodes", "approve", name, line.split("'")[1])
            served.start_node(name)
    served.await_nodes("ann", "bob")
    for name in ("ann", "bob", "eve"):
        assert served.node_folder(name).ca.read_bytes() == foreign.root.read_bytes()


def test_a_new_one_in_its_place_is_taken_up_while_nodes_are_there(
    served: World, foreign: ForeignAuthority
) -> None:
    def shown() -> str:
        return ssl.get_server_certificate(("127.0.0.1", served.port))

    before = shown()
    foreign.sign()
    wait_until("the new one is shown", lambda: shown() != before)
    served.await_nodes("ann", "bob")
    status = json.loads(answer(served, "server", "status", "--json"))
    until = f"{status['certificate_until'][:10]}\n"
    assert f"certificate holds until {until}" in answer(served, "server", "status")


def test_what_was_asked_for_is_undone_and_it_shows_its_own_again(served: World) -> None:
    """Who trusted the authority from elsewhere enrolls anew."""
    answer(served, "server", "stop")
    answer(served, "server", "start", "--no-cert", "--no-address")
    settings = ServerSettings(host="127.0.0.1", port=served.port)
    assert read(served.server.settings, ServerSettings) == settings
    status = json.loads(answer(served, "server", "status", "--json"))
    assert status["authority"] == fingerprint(served.server.ca)
    address = ServerAddress.parse(served.address)
    with pytest.raises(Zk0Error) as refused:
        check_server(address, served.node_folder("ann"), "ann")
    assert str(refused.value) == (
        f"the certificate of {address} is not from the authority that this node trusts (unable to "
        "get local issuer certificate); check the address, or enroll again with the authority "
        "that zk0 server status shows"
    )
    folder = served.node_folder("zoe")
    ensure_node_key(folder.key)
    folder.ca.write_bytes(served.server.ca.read_bytes())
    with pytest.raises(NotYet, match="the server does not know this node"):
        check_server(address, folder, "zoe")
