"""Flower's processes get requests as a whole, in large pieces, and end soon when they are told."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zk0_core.engines._flower_http import whole_requests
from zk0_core.engines.quiet import ENVIRONMENT, PIECE_BYTES
from zk0_core.federation.processes import quiet_environment


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


LOOKS = """
import os
from flwr.app.message.array import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE
from flwr.supercore.constant import FLWR_DISABLE_UPDATE_CHECK
from flwr.supercore.telemetry import FLWR_TELEMETRY_ENABLED
print(FLWR_TELEMETRY_ENABLED, os.environ[FLWR_DISABLE_UPDATE_CHECK])
print(FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE)
"""
LIBRARY = """
from zk0_core.engines.quiet import quiet_flower

quiet_flower()
"""
COMMAND = """
import contextlib
from zk0_cli.main import main

with contextlib.suppress(SystemExit):
    main({})
"""


@pytest.mark.parametrize(
    "before",
    [
        LIBRARY,
        COMMAND.format(["server", "nodes", "list"]),
        COMMAND.format(["client", "start", "sim:lift"]),
    ],
    ids=["library", "server", "node"],
)
def test_flower_reports_nothing_and_makes_large_pieces_whatever_the_environment_says(
    before: str, tmp_path: Path
) -> None:
    """It looks when it is imported, and then never again."""
    loud = {
        "FLWR_TELEMETRY_ENABLED": "1",
        "FLWR_DISABLE_UPDATE_CHECK": "0",
        "FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE": "1000",
    }
    assert ENVIRONMENT.keys() == loud.keys()
    assert quiet_environment().items() >= ENVIRONMENT.items()
    done = subprocess.run(
        [sys.executable, "-c", before + LOOKS],
        capture_output=True,
        text=True,
        env={**os.environ, "ZK0_HOME": str(tmp_path), **loud},
    )
    assert done.stdout == f"0 1\n{PIECE_BYTES}\n", done.stderr
