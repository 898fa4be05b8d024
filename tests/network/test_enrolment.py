"""Who may take part: names, keys and invitations."""

import ssl
from pathlib import Path

import certifi
import pytest

from tests.answering import Asked, answering
from tests.foreign import ForeignAuthority
from zk0_cli.client_enroll import join_by
from zk0_core.engines._flower_control import KnownNode
from zk0_core.errors import UsageError
from zk0_core.federation import enrolment
from zk0_core.federation.certificates import (
    ensure_authority,
    ensure_node_key,
    key_id,
    public_key_bytes,
)
from zk0_core.federation.enrolment import approve, find_node, invite, read_invitation, take_up
from zk0_core.federation.folder import NodeFolder, ServerFolder
from zk0_core.federation.records import NodeSettings, read


class Nodes:
    """The nodes of a SuperLink, without one."""

    def __init__(self) -> None:
        self.known: list[KnownNode] = []

    def nodes(self) -> list[KnownNode]:
        return self.known

    def register(self, name: str, public_key: bytes) -> None:
        self.known.append(KnownNode(len(self.known), name, public_key, False, "2026-01-01", ""))


@pytest.fixture
def nodes() -> Nodes:
    return Nodes()


@pytest.fixture
def server(tmp_path: Path) -> ServerFolder:
    folder = ServerFolder(tmp_path / "server")
    ensure_authority(folder.certificates)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> str:
    return ensure_node_key(tmp_path / "node.key")


def refused(call, *arguments, **named) -> str:
    with pytest.raises(UsageError) as problem:
        call(*arguments, **named)
    return str(problem.value)


def test_a_private_key_is_its_owners_alone(tmp_path: Path, key: str) -> None:
    assert (tmp_path / "node.key").stat().st_mode & 0o777 == 0o600
    assert ensure_node_key(tmp_path / "node.key") == key


def test_a_key_and_a_name_are_approved_once(nodes: Nodes, key: str, tmp_path: Path) -> None:
    approve(nodes, "left", key)
    assert [node.name for node in nodes.known] == ["left"]
    short = key_id(public_key_bytes(key))
    assert refused(approve, nodes, "right", key) == f"key {short} is approved already, as 'left'"
    other = ensure_node_key(tmp_path / "other.key")
    assert refused(approve, nodes, "Left", other) == (
        f"there is a node 'left' with key {short}; choose another name, or remove that one first: "
        "zk0 server nodes remove left"
    )


def test_what_is_no_key(nodes: Nodes) -> None:
    assert refused(approve, nodes, "left", "ssh-ed25519 AAAA") == (
        "'ssh-ed25519 AAAA' is no node's public key; copy the whole line that zk0 client enroll "
        "printed"
    )


@pytest.mark.parametrize(
    "name", ["../up", "", "server", "a b", "node", "supernode", "start", "Node"]
)
def test_what_is_no_name(nodes: Nodes, key: str, name: str) -> None:
    assert refused(approve, nodes, name, key) == (
        f"node name '{name}' cannot be a file's name; use letters, digits, '-', '_' and '.', and "
        "none of server, worker, node, supernode, start"
    )


def test_a_node_that_is_not_there(nodes: Nodes, key: str) -> None:
    assert refused(find_node, nodes, "left") == (
        "there is no node 'left'; choose from: none is approved yet"
    )
    approve(nodes, "right", key)
    assert refused(find_node, nodes, "left") == "there is no node 'left'; choose from: right"


def test_an_invitation_holds_once(server: ServerFolder, nodes: Nodes, key: str) -> None:
    text = invite(server, "arms:9443", "3f9a", hours=1)
    address, authority, token = read_invitation(text)
    assert (address, authority) == ("arms:9443", "3f9a")
    assert token not in server.invitations.read_text()
    take_up(server, nodes, token=token, name="left", public_key=key)
    assert [node.name for node in nodes.known] == ["left"]
    assert refused(take_up, server, nodes, token=token, name="other", public_key=key) == (
        "this invitation has run out or was used; ask for another: zk0 server invite"
    )


def test_who_is_let_in_already_may_ask_again(
    server: ServerFolder, nodes: Nodes, key: str, tmp_path: Path
) -> None:
    """Its dataset could not be opened, or the answer was lost: it is started in the same way."""
    token = read_invitation(invite(server, "arms:9443", "3f9a", hours=1))[2]
    for _ in range(3):
        take_up(server, nodes, token=token, name="left", public_key=key)
    assert [node.name for node in nodes.known] == ["left"]
    used = "this invitation has run out or was used; ask for another: zk0 server invite"
    other = ensure_node_key(tmp_path / "other.key")
    assert refused(take_up, server, nodes, token=token, name="left", public_key=other) == used
    # Who was removed needs another.
    nodes.known.clear()
    assert refused(take_up, server, nodes, token=token, name="left", public_key=key) == used


def test_an_invitation_of_who_is_let_in_already_is_used_up(
    server: ServerFolder, nodes: Nodes, key: str, tmp_path: Path
) -> None:
    """As after a loss of power just before it was written down."""
    token = read_invitation(invite(server, "arms:9443", "3f9a", hours=1))[2]
    approve(nodes, "left", key)
    take_up(server, nodes, token=token, name="left", public_key=key)
    other = ensure_node_key(tmp_path / "other.key")
    assert refused(take_up, server, nodes, token=token, name="right", public_key=other) == (
        "this invitation has run out or was used; ask for another: zk0 server invite"
    )


def test_an_invitation_to_a_server_that_everybody_trusts(
    server: ServerFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificate is from an authority that comes with this machine; here that is a test's."""
    foreign = ForeignAuthority(tmp_path / "foreign")
    certificate, private = foreign.sign(with_root=False)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, private)
    monkeypatch.setattr(certifi, "where", lambda: str(foreign.root))
    asked: list[Asked] = []

    def say(question: Asked) -> tuple[int, bytes]:
        asked.append(question)
        return 200, b"{}"

    node = NodeFolder(tmp_path / "client")
    with answering(say, tls) as address:
        join_by(invite(server, address, "system", hours=1), node, "left", insecure=False)
    assert [question.path for question in asked] == ["/zk0/join"]
    assert node.ca.read_bytes() == foreign.root.read_bytes()
    assert read(node.settings, NodeSettings) == NodeSettings(server=address, name="left")


def test_an_invitation_runs_out(
    server: ServerFolder, nodes: Nodes, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = read_invitation(invite(server, "arms:9443", "3f9a", hours=1))[2]
    later = enrolment.time.time() + 3601
    monkeypatch.setattr(enrolment.time, "time", lambda: later)
    assert "has run out" in refused(
        take_up, server, nodes, token=token, name="left", public_key=key
    )


def test_an_invitation_that_is_refused_is_not_used_up(
    server: ServerFolder, nodes: Nodes, key: str
) -> None:
    token = read_invitation(invite(server, "arms:9443", "3f9a", hours=1))[2]
    refused(take_up, server, nodes, token=token, name="../up", public_key=key)
    take_up(server, nodes, token=token, name="left", public_key=key)
    assert [node.name for node in nodes.known] == ["left"]


@pytest.mark.parametrize("text", ["", "zk0-invitation:", "zk0-invitation:e30", "zk0-invitation:!"])
def test_what_is_no_invitation(text: str) -> None:
    assert "is no invitation; copy the whole string that zk0 server invite printed" in refused(
        read_invitation, text
    )
