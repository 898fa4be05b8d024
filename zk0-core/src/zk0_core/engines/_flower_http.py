"""How Flower's processes serve HTTP: what zk0 changes in that.

A piece of a message comes as a request of megabytes, 64 KiB at a time. Flower has layers around its
calls, and each would take every part through a task of its own. So a request is read as a whole
before the first of them.
"""

import gc
import math
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CLOSE_SECONDS = 1
"""What requests that go on get when a process is told to end."""


class TooLarge(Exception):
    """A request has more bytes than anything that a node sends."""


def serve_well() -> None:
    """Have Flower's server in this process read requests as a whole, and end soon when it is told.

    Else it would wait half a minute for the goodbye of whoever is connected and idle. And what is
    loaded when it begins stays: it is not looked through for garbage again and again.
    """
    import uvicorn

    flowers = uvicorn.Config

    def config(app: Application, **asked: Any) -> uvicorn.Config:
        asked["timeout_graceful_shutdown"] = CLOSE_SECONDS
        gc.collect()
        gc.freeze()
        return flowers(whole_requests(app), **asked)

    # `uvicorn.main` is a function, and the module of that name makes a Config of its own.
    for module in (uvicorn, sys.modules["uvicorn.main"]):
        assert vars(module)["Config"] is flowers
        vars(module)["Config"] = config


def whole_requests(app: Application) -> Application:
    """Return an ASGI application that gives `app` each request's body in one part."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        content = await body(receive)
        request: Event = {"type": "http.disconnect"}
        if content is not None:
            request = {"type": "http.request", "body": content, "more_body": False}
        given = False

        async def give() -> Event:
            nonlocal given
            if given:
                return await receive()
            given = True
            return request

        await app(scope, give, send)

    return serve


async def body(receive: Receive, limit: float = math.inf) -> bytes | None:
    """Return a request's whole body; None if whoever sends it leaves before its end.

    Raises:
        TooLarge: if it has more than `limit` bytes.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return None
        parts.append(event.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLarge
        if not event.get("more_body", False):
            return b"".join(parts)
