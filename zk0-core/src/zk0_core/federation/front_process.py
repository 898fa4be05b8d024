"""The built-in front as a process: what it listens on, and the certificate that it shows.

Usage: python -m zk0_core.federation.front_process FOLDER CONTROL HOST PORT [CERTIFICATE KEY]
"""

import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from zk0_core.engines._flower_http import CLOSE_SECONDS
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.front import Front

MAX_CONNECTIONS = 1000


def serve(folder: ServerFolder, control: str, host: str, port: int, pair: Sequence[str]) -> None:
    """Listen on `host` and `port` until told to end.

    Args:
        folder: The server's folder.
        control: Where the SuperLink listens.
        host: Address to listen on.
        port: Port to listen on.
        pair: Files of the certificate and of its key; neither for no TLS. SIGHUP has them loaded
            again.
    """
    import uvicorn

    certificate, key = pair or (None, None)
    config = uvicorn.Config(
        Front(folder, control),
        host=host,
        port=port,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_level="warning",
        server_header=False,
        date_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=CLOSE_SECONDS,
        http="h11",
        ws="none",
    )
    config.load()
    if context := config.ssl:
        # Connections that there are keep what they have; the server has tried the two.
        signal.signal(signal.SIGHUP, lambda number, frame: context.load_cert_chain(*pair))
    # asyncio's own "::" would be IPv6 alone.
    uvicorn.Server(config).run([bound(host, port)] if host == "::" else None)


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that can listen on `host` and `port`; "::" is IPv4 as well."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # TCP by name: asyncio sends what is small at once only where it is.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # A port whose last user has just left is free.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def main(arguments: list[str]) -> None:
    """Serve; the arguments are those of `serve`, as texts."""
    folder, control, host, port, *pair = arguments
    serve(ServerFolder(Path(folder)), control, host, int(port), pair)


if __name__ == "__main__":
    main(sys.argv[1:])
