"""What the dashboard answers: the list of runs, a run's page, its state, its videos; GET alone."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from zk0_core.dashboard.pages import list_page, run_page
from zk0_core.dashboard.runs import State, entry_of, state_of
from zk0_core.dashboard.sources import Source
from zk0_core.errors import UsageError

HOSTS = ["127.0.0.1", "localhost", "[::1]"]
"""Names that a browser may call this server by; others are another site's, made to lead here."""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def app_of(source: Source) -> Starlette:
    """Return the application that shows the runs of `source`."""
    site = _Site(source)
    return Starlette(
        routes=[
            Route("/", site.index),
            Route("/runs/{name}/", site.run),
            Route("/runs/{name}/state", site.state),
            Route("/runs/{name}/{film:path}", site.film),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)],
    )


class _Site:
    """Looks at the folders at every question; keeps the page that was made last."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pages: dict[str, tuple[str, str]] = {}
        # Matplotlib's settings belong to the process: one page is drawn at a time.
        self._drawing = threading.Lock()

    def index(self, request: Request) -> Response:
        runs = self._runs()
        if self._source.alone:
            return RedirectResponse(f"/runs/{next(iter(runs))}/", headers=HEADERS)
        entries = [entry_of(name, folder, self._state(name)) for name, folder in runs.items()]
        return HTMLResponse(list_page(self._source, entries), headers=HEADERS)

    def run(self, request: Request) -> Response:
        name = request.path_params["name"]
        folder = self._folder(name)
        with self._drawing:
            state = self._state(name)
            kept = self._pages.get(name)
            if kept is None or kept[0] != state.version:
                page = run_page(name, folder, state, self._source.alone)
                kept = self._pages[name] = state.version, page
        return HTMLResponse(kept[1], headers=HEADERS)

    def state(self, request: Request) -> Response:
        state = self._state(request.path_params["name"])
        found = {"version": state.version, "text": state.text, "log": state.log}
        return JSONResponse(found, headers=HEADERS)

    def film(self, request: Request) -> Response:
        folder = self._folder(request.path_params["name"]).resolve() / "evaluate"
        path = (folder / request.path_params["film"].removeprefix("evaluate/")).resolve()
        if path.suffix != ".mp4" or not path.is_relative_to(folder) or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type="video/mp4", headers=HEADERS)

    def _runs(self) -> dict[str, Path]:
        try:
            return self._source.runs()
        except UsageError as error:
            raise HTTPException(404, str(error)) from None

    def _folder(self, name: str) -> Path:
        folder = self._runs().get(name)
        if folder is None:
            raise HTTPException(404, f"there is no run {name!r}")
        return folder

    def _state(self, name: str) -> State:
        return state_of(self._folder(name), self._source.standing(name))


def serve(source: Source, port: int, started: Callable[[str], Any]) -> None:
    """Serve the runs of `source` on loopback until the process is interrupted.

    Args:
        source: What is shown.
        port: Where; 0 for any that is free.
        started: Told the address.

    Raises:
        UsageError: if there is no run, or the port is taken.
    """
    import socket

    import uvicorn

    source.runs()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise UsageError(
                f"port {port} of this machine cannot be used ({error.strerror}); choose another "
                "with --port, or 0 for any"
            ) from None
        started(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        config = uvicorn.Config(app_of(source), log_level="warning", server_header=False)
        uvicorn.Server(config).run(sockets=[listener])
