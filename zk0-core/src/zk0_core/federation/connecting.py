"""Where a server is, and a connection to the first of its host's addresses that answers."""

import socket
import ssl
import time
from typing import Any

CONNECT_SECONDS = 12.0
"""What a server gets to answer, at all of its addresses together."""
LEAST_SECONDS = 0.01


def place(host: str, port: int) -> str:
    """Return HOST:PORT; an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connected(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Return a connection; `context` is what the server is checked with, None for no TLS.

    A host with several addresses, as with IPv4 and IPv6, is tried at each: one that drops what is
    sent leaves the next its part of the time.

    Raises:
        OSError: if none answers; what went wrong at the last one.
    """
    deadline = time.monotonic() + CONNECT_SECONDS
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, found in enumerate(places, 1):
        try:
            plain = _connect(found, _left(deadline) / (len(places) - number + 1))
            break
        except OSError:
            if number == len(places):
                raise
    plain.settimeout(_left(deadline))
    return plain if context is None else context.wrap_socket(plain, server_hostname=host)


def _connect(found: tuple[Any, ...], seconds: float) -> socket.socket:
    """Return a connection to one of the places that getaddrinfo names."""
    family, kind, protocol, _, address = found
    plain = socket.socket(family, kind, protocol)
    try:
        plain.settimeout(seconds)
        plain.connect(address)
    except OSError:
        plain.close()
        raise
    return plain


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), LEAST_SECONDS)
