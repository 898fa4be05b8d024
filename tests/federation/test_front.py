"""The built-in front by itself: what it answers, and what it does when no question comes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.foreign import ForeignAuthority
from zk0_core.engines._flower_control import KnownNode
from zk0_core.engines._flower_network import FLEET, MEDIA_TYPE
from zk0_core.federation import front
from zk0_core.federation.certificates import ensure_node_key, public_key_bytes
from zk0_core.federation.enrolment import invite, read_invitation
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.front import AUTHORITY, HELLO, JOIN, Front
from zk0_core.federation.records import ServerSettings, write


async def post(served: Front, path: str, receive: Any) -> list[dict[str, Any]]:
    """Return what is sent to who posts to `path`."""
    sent: list[dict[str, Any]] = []

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", MEDIA_TYPE.encode())],
    }
    await served(scope, receive, send)
    return sent


def asked(served: Front, path: str, **question: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the answer to a question."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(question).encode(), "more_body": False}

    start, content = asyncio.run(post(served, path, receive))
    return start["status"], json.loads(content["body"])


class Nodes:
    """The nodes of a SuperLink, without one."""

    def __init__(self) -> None:
        self.known: list[KnownNode] = []

    def nodes(self) -> list[KnownNode]:
        return list(self.known)

    def register(self, name: str, public_key: bytes) -> None:
        self.known.append(KnownNode(len(self.known), name, public_key, False, "2026-01-01", ""))


def test_who_has_just_joined_is_known(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path / "main" / "server")
    served = Front(folder, "127.0.0.1:1")
    served._control = Nodes()  # type: ignore[assignment]
    key = ensure_node_key(tmp_path / "key")
    pem = public_key_bytes(key).decode()
    assert asked(served, HELLO, public_key=pem)[1]["name"] is None
    token = read_invitation(invite(folder, "arms:9443", "3f9a", hours=1))[2]
    assert asked(served, JOIN, token=token, name="ann", public_key=key) == (200, {"name": "ann"})
    assert asked(served, HELLO, public_key=pem)[1]["name"] == "ann"


def test_an_authority_that_the_server_does_not_have(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path / "main" / "server")
    certificate, key = ForeignAuthority(tmp_path / "foreign").sign(with_root=False)
    write(folder.settings, ServerSettings(certificate=str(certificate), key=str(key)))
    assert asked(Front(folder, "127.0.0.1:1"), AUTHORITY) == (
        403,
        {
            "error": "this server does not have the certificate of its authority; enroll with "
            "--authority system, or with a file that has it"
        },
    )


@pytest.mark.parametrize("path", [AUTHORITY, f"{FLEET}push-object"])
def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "BODY_SECONDS", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nothing comes")

    served = Front(ServerFolder(tmp_path), "127.0.0.1:1")
    served._upstream = object()  # type: ignore[assignment]  # nothing gets so far
    sent = asyncio.run(post(served, path, receive))
    assert sent[0]["status"] == 408
