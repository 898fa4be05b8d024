"""A server that answers a node's first question as a test wants it, and nothing else."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.answering import Asked, answering, tls_of
from zk0_core.federation.certificates import ensure_authority
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.handshake import ServerAddress
from zk0_core.wire.orders import WIRE_VERSION

Serve = Callable[..., ServerAddress]
"""Called as serve(status=200, names=("127.0.0.1",), ahead=0.0, **answer): the names in its
certificate, and by how many seconds its clock is ahead."""


@contextmanager
def serving(certificates: Path, node: NodeFolder) -> Iterator[Serve]:
    """Yield what starts such servers; `node` knows their authority, which is in `certificates`."""
    with ExitStack() as servers:

        def serve(
            status: int = 200,
            names: tuple[str, ...] = ("127.0.0.1",),
            ahead: float = 0.0,
            **answer: Any,
        ) -> ServerAddress:
            def say(asked: Asked) -> tuple[int, bytes]:
                known = {"wire": WIRE_VERSION, "name": "left", "online": False}
                now = {"time": time.time() + ahead}
                return status, json.dumps({**known, **now, **answer}).encode()

            node.ca.write_bytes(ensure_authority(certificates).read_bytes())
            tls = tls_of(certificates, *names)
            return ServerAddress.parse(servers.enter_context(answering(say, tls)))

        yield serve
