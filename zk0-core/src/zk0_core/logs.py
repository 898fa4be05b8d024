"""Log files: one for the server and one per client."""

import functools
import sys
from pathlib import Path

from loguru import logger

FORMAT = "{time:YYYY-MM-DD HH:mm:ss} {level: <7} {extra[client]}: {message}"

# loguru writes the values of variables into a traceback unless told not to: keys among them.
add_log = functools.partial(logger.add, diagnose=False)
"""Add a sink whose tracebacks hold no values; as `loguru.logger.add`."""


def log_server(folder: Path) -> None:
    """Send what this process logs to `folder`/server.log, and what is bound `shown` to stderr."""
    logger.remove()
    logger.configure(extra={"client": "server"})
    add_log(folder / "server.log", format=FORMAT, level="INFO")
    add_log(
        lambda line: print(line, end="", file=sys.stderr, flush=True),
        format=lambda record: (
            ("warning: " if record["level"].name == "WARNING" else "") + "{message}\n"
        ),
        filter=lambda record: bool(record["extra"].get("shown")),
    )


@functools.cache
def log_clients(folder: Path) -> None:
    """Send what this process logs to one file per client, by the name in the log's context.

    Called again with the same folder, it does nothing.
    Several processes may append to one file: each line is written with one call.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def write(line: str) -> None:
        client = line.split("\x1f", 1)[0]
        with (folder / f"{client}.log").open("a", encoding="utf-8") as log:
            log.write(line.split("\x1f", 1)[1])

    logger.remove()
    logger.configure(extra={"client": "worker"})
    add_log(write, format="{extra[client]}\x1f" + FORMAT, level="INFO")
