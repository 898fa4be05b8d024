"""What listens outside: passes nodes on to the SuperLink, and nothing else.

The SuperLink's one port serves its Control API as well, which asks for no credentials; so it
listens on the loopback address, and only the calls that a node makes get through from here. Three
calls of our own are answered here: whether a node may come, an invitation that is taken up, and the
authority's certificate.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from zk0_core.engines._flower_control import Control, KnownNode
from zk0_core.engines._flower_http import Receive, Scope, Send, TooLarge, body
from zk0_core.engines._flower_network import FLEET, MEDIA_TYPE, NODE_CALLS, NODE_HEADERS
from zk0_core.engines.quiet import PIECE_BYTES
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation.about import keep
from zk0_core.federation.authority import SYSTEM, root_of
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.known import KnownNodes
from zk0_core.federation.records import ServerSettings, read

if TYPE_CHECKING:
    import httpx

HELLO, JOIN, AUTHORITY = "/zk0/hello", "/zk0/join", "/zk0/authority"
MAX_BODY = PIECE_BYTES + 4 * 2**20
"""Bytes of a node's request: a piece of a tensor, and what is said about it."""
BODY_SECONDS = 600.0
"""What a request's body gets to come: a piece over a quarter of a megabit a second."""
MAX_OWN_BODY = 16 * 2**10
"""Bytes of a request that is answered here."""
UPSTREAM_SECONDS = 60.0

NODE_PATHS = {FLEET + call for call in NODE_CALLS}


class Front:
    """An ASGI application; `folder` is the server's, `control` where its SuperLink listens."""

    def __init__(self, folder: ServerFolder, control: str) -> None:
        self._folder = folder
        self._address = control
        self._upstream: httpx.AsyncClient | None = None
        self._control: Control | None = None
        self._nodes = KnownNodes(self._ask_for_nodes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        # The path as it came: nothing that is written in another way gets through.
        path = scope["raw_path"].decode("latin-1")
        headers = {name.decode("latin-1").lower(): value for name, value in scope["headers"]}
        try:
            if scope["method"] == "POST" and not scope["query_string"]:
                if path in NODE_PATHS and headers.get("content-type") == MEDIA_TYPE.encode():
                    await self._pass_on(path, headers, receive, send)
                    return
                if path in (HELLO, JOIN, AUTHORITY):
                    await self._answer(path, receive, send)
                    return
            await respond(send, 404, b"")
        except TooLarge:
            await respond(send, 413, b"")
        except TimeoutError:
            await respond(send, 408, b"")

    async def _live(self, receive: Receive, send: Send) -> None:
        import httpx

        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._upstream = httpx.AsyncClient(
                    verify=ssl.create_default_context(cafile=str(self._folder.ca)),
                    timeout=UPSTREAM_SECONDS,
                    limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
                    trust_env=False,
                )
                # Now and not with the first question: its imports take seconds.
                self._control = Control(self._address, self._folder.ca)
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._upstream is not None:
                    await self._upstream.aclose()
                if self._control is not None:
                    self._control.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _pass_on(
        self, path: str, headers: dict[str, bytes], receive: Receive, send: Send
    ) -> None:
        """Let the SuperLink answer; while it is away, say so in a way that makes nodes retry."""
        import httpx

        assert self._upstream is not None
        # Read as a whole: the SuperLink does the same, and its pieces are small.
        async with asyncio.timeout(BODY_SECONDS):
            content = await body(receive, MAX_BODY)
        if content is None:
            return
        request = self._upstream.build_request(
            "POST",
            f"https://{self._address}{path}",
            headers=[(n.encode(), headers[n]) for n in NODE_HEADERS if n in headers],
            content=content,
        )
        try:
            answer = await self._upstream.send(request, stream=True)
        except httpx.TransportError:
            await respond(send, 503, b"")
            return
        async with closing(answer):
            kept = [
                (name.encode(), value.encode("latin-1"))
                for name, value in answer.headers.items()
                if name in ("content-type", "content-length", "content-encoding")
            ]
            await send(
                {"type": "http.response.start", "status": answer.status_code, "headers": kept}
            )
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _answer(self, path: str, receive: Receive, send: Send) -> None:
        async with asyncio.timeout(BODY_SECONDS):
            content = await body(receive, MAX_OWN_BODY)
        try:
            asked = json.loads(content or "{}")
            if not isinstance(asked, dict):
                raise ValueError("no table")
            if path == HELLO:
                answer = await self._hello(asked)
            else:
                work = {JOIN: self._join, AUTHORITY: self._authority}[path]
                answer = await asyncio.to_thread(work, asked)
        except (ValueError, KeyError, TypeError) as problem:
            await respond(send, 400, _json({"error": f"malformed request: {problem!r}"}))
            return
        except UsageError as problem:
            await respond(send, 403, _json({"error": str(problem)}))
            return
        except Zk0Error:
            # What went wrong here is for our log, not for whoever asked.
            await respond(send, 503, _json({"error": "the server is starting; try again"}))
            return
        await respond(send, 200, _json(answer))

    def _authority(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the authority's certificate, for who can tell it by its fingerprint."""
        settings = read(self._folder.settings, ServerSettings) or ServerSettings()
        root = root_of(self._folder, settings)
        if root is None:
            raise UsageError(
                "this server does not have the certificate of its authority; enroll with "
                f"--authority {SYSTEM}, or with a file that has it"
            )
        return {"certificate": root.decode()}

    async def _hello(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Tell a node what it needs to know before it connects."""
        from zk0_core.wire.orders import WIRE_VERSION

        public_key = str(asked["public_key"]).encode()
        node = await self._nodes.find(public_key)
        if node and "dataset" in asked:
            await asyncio.to_thread(keep, self._folder, node.name, public_key, asked)
        return {
            "federation": self._folder.name,
            "wire": WIRE_VERSION,
            "time": time.time(),
            "name": node.name if node else None,
            "online": bool(node and node.online),
        }

    def _ask_for_nodes(self) -> list[KnownNode]:
        assert self._control is not None
        return self._control.nodes()

    def _join(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Let a node in that has an invitation."""
        from zk0_core.federation.enrolment import take_up

        assert self._control is not None
        take_up(
            self._folder,
            self._control,
            token=str(asked["token"]),
            name=str(asked["name"]),
            public_key=str(asked["public_key"]),
        )
        return {"name": str(asked["name"])}


@asynccontextmanager
async def closing(answer: "httpx.Response") -> AsyncIterator[None]:
    """Close `answer` at the end, whatever happens."""
    try:
        yield
    finally:
        await answer.aclose()


async def respond(send: Send, status: int, content: bytes) -> None:
    """Send a short answer."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
