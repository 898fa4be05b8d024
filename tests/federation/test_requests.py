"""Flower's processes get requests as a whole, in large pieces, and end soon when they are told."""

import asyncio
import os
import subprocess
import sys
from typing import Any

from zk0_core.engines._flower_http import whole_requests
from zk0_core.engines.quiet import PIECE_BYTES


def seen(scope: dict[str, Any], *events: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an application receives of `events`."""
    left, got = list(events), []

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(event: dict[str, Any]) -> None:
        raise AssertionError(event)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(len(events)):
            if not got or left:
                got.append(await receive())

    asyncio.run(whole_requests(application)(scope, receive, send))
    return got


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_the_parts_of_a_request_come_as_one() -> None:
    parts = part(b"ab", True), part(b"", True), part(b"c", False), GONE
    assert seen({"type": "http"}, *parts) == [part(b"abc", False), GONE]


def test_who_leaves_in_the_middle_has_sent_nothing() -> None:
    assert seen({"type": "http"}, part(b"ab", True), GONE) == [GONE]


def test_what_is_no_request_stays_as_it_is() -> None:
    events = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}
    assert seen({"type": "lifespan"}, *events) == list(events)


def test_flowers_server_takes_it() -> None:
    """Both ways of starting it: `uvicorn.run`, the SuperLink's, and `uvicorn.Config`."""
    program = """
import sys
import uvicorn
from zk0_core.engines._flower_http import serve_well

serve_well()
async def application(scope, receive, send): pass
for config in (uvicorn.Config, sys.modules["uvicorn.main"].Config):
    made = config(application, timeout_graceful_shutdown=None)
    print(made.timeout_graceful_shutdown, made.app is application)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "1 False\n" * 2, done.stderr


def test_a_node_makes_large_pieces() -> None:
    """Flower looks when it is imported, and then never again."""
    program = """
import zk0_cli.client_start
from zk0_core.engines.quiet import quiet_flower

quiet_flower()
import zk0_core.federation.node
from flwr.app.message.array import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE
print(FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("FLWR_")},
    )
    assert done.stdout == f"{PIECE_BYTES}\n", done.stderr
