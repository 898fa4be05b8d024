"""Without TLS: on the loopback address alone, since what is sent there leaves no machine."""

from zk0_core.errors import UsageError

LOOPBACK = "127.0.0.1"
LOOPBACK_HOSTS = (LOOPBACK, "::1", "localhost")
PLAIN = "http://"
"""Begins the address of a server without TLS."""


def check_loopback(host: str, source: str, instead: str) -> None:
    """Raise UsageError if `host` is none for a server without TLS.

    Args:
        host: An address or a name.
        source: Who asked for it, such as "--host".
        instead: How to have TLS, such as "start with --tls".
    """
    if host not in LOOPBACK_HOSTS:
        raise UsageError(
            f"host '{host}' ({source}) cannot do without TLS: everybody on the way could read and "
            f"change what is sent. --insecure goes with {', '.join(LOOPBACK_HOSTS)}; choose one of "
            f"them, or {instead}"
        )
