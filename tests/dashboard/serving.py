"""The dashboard, served by a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from zk0_core.dashboard.app import app_of
from zk0_core.dashboard.sources import FolderOfRuns, Source


@contextmanager
def served(place: Path | Source) -> Iterator[str]:
    """Yield the address at which the runs of `place` are shown, without a slash at its end."""
    source = FolderOfRuns(place) if isinstance(place, Path) else place
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app_of(source), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
