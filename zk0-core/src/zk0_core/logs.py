"""Log files, one for the server and one per client, and what of them is shown on stderr too."""

import contextlib
import functools
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

if TYPE_CHECKING:
    from zk0_core.data import Progress


FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level: <7} {extra[client]}: {message}"
QUIET_S = 5.0
"""Seconds that work may take before anything is said of it."""
EVERY_S = 10.0
"""Seconds between two lines about the same work."""
LARGE_BYTES = 10_000_000
"""Of a log that is begun anew."""
KEPT = 3
"""Old logs of this process that stay beside the new one."""
DATED = re.compile(r"\.\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_\d{6}(\.\d+)?\.log$")
"""The end of such a log's name: loguru's."""


def add_log(sink: Any, **options: Any) -> int:
    """Add a sink whose tracebacks hold no values; as `loguru.logger.add`.

    A file is begun anew when it is large, and the newest of the old ones are kept.
    """
    if isinstance(sink, Path):
        options = {"rotation": LARGE_BYTES, "retention": _forget, **options}
    # loguru writes the values of variables into a traceback unless told not to: keys among them.
    return logger.add(sink, diagnose=False, **options)


def _forget(logs: list[str]) -> None:
    """Remove all but the newest old logs, of those whose names begin and end as one log's does.

    Only what loguru named: `node.log` lies beside the log of a client that may be called `node.1`.
    """
    old = sorted(filter(DATED.search, logs), key=os.path.getmtime)
    for log in old[:-KEPT]:
        os.remove(log)


def begin_anew_when_large(log: Path) -> None:
    """Empty `log` when it is large; what it held goes to NAME.1, and what that held to NAME.2.

    It is copied and emptied, not renamed: programs that append to it hold it open, and go on at
    its new end. What they write in between is lost.

    Raises:
        OSError: if it could not be kept; it is emptied all the same.
    """
    if not log.is_file() or log.stat().st_size <= LARGE_BYTES:
        return
    newer, older = (log.with_name(f"{log.name}.{number}") for number in (1, 2))
    try:
        if newer.exists():
            newer.replace(older)
        shutil.copyfile(log, newer)
    finally:
        os.truncate(log, 0)


def log_server(folder: Path) -> None:
    """Send what this process logs to `folder`/server.log, and what is bound `shown` to stderr."""
    logger.remove()
    logger.configure(extra={"client": "server"})
    add_log(folder / "server.log", format=FORMAT, level="INFO")
    _show()


@functools.cache
def log_clients(folder: Path) -> None:
    """Send what this process logs to one file per client, by the name in the log's context.

    What is bound `shown` goes to stderr too. Called again with the same folder, it does nothing.
    Several processes may append to one file: each line is written with one call.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def write(line: str) -> None:
        client, text = line.split("\x1f", 1)
        path = folder / f"{client}.log"
        # Other workers write to it too, and one of them may be at it.
        with contextlib.suppress(OSError):
            begin_anew_when_large(path)
        with path.open("a", encoding="utf-8") as log:
            log.write(text)

    logger.remove()
    logger.configure(extra={"client": "worker"})
    add_log(write, format="{extra[client]}\x1f" + FORMAT, level="INFO")
    _show()


def _show() -> None:
    """Send what is bound `shown` to stderr."""
    add_log(
        lambda line: print(line, end="", file=sys.stderr, flush=True),
        format=lambda record: (
            ("warning: " if record["level"].name == "WARNING" else "") + "{message}\n"
        ),
        filter=lambda record: bool(record["extra"].get("shown")),
    )


class ShownProgress:
    """Tells how far long work is, a line now and then on stderr and in the log.

    For processes beside the one that the user started, where it is about one piece of work at a
    time; called as `zk0_core.data.Progress` says. Of what takes less than QUIET_S, nothing is said.
    """

    def __init__(self, also: "Progress | None" = None) -> None:
        """Begin; `also` is told of everything, be it shown or not."""
        self._also = also
        self._what = ""
        self._told = False
        self._called = time.monotonic()
        """When it was called last, or work began."""
        self._next = 0.0
        """When there is something to say again."""

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell that `done` of `total` steps of `what` are done."""
        if self._also:
            self._also(what, done, total)
        if what != self._what:
            self._what, self._told = what, False
            self._next = self._called + QUIET_S
        self._called = time.monotonic()
        if self._called >= self._next or (self._told and done >= total):
            logger.bind(shown=True).info("{}: {}/{}", what, done, total)
            self._told, self._next = True, self._called + EVERY_S
