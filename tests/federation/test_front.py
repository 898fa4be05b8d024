"""The built-in front by itself: what it does with requests that do not come to an end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from zk0_core.engines._flower_network import FLEET, MEDIA_TYPE
from zk0_core.federation import front
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.front import AUTHORITY, Front


@pytest.mark.parametrize("path", [AUTHORITY, f"{FLEET}push-object"])
def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "BODY_SECONDS", 0.05)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nothing comes")

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", MEDIA_TYPE.encode())],
    }
    served = Front(ServerFolder(tmp_path), "127.0.0.1:1")
    served._upstream = object()  # type: ignore[assignment]  # nothing gets so far
    asyncio.run(served(scope, receive, send))
    assert sent[0]["status"] == 408
