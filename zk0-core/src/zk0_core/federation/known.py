"""The approved nodes, as the front knows them: whoever asks it, the SuperLink is spared."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zk0_core.engines._flower_control import KnownNode

KEPT_SECONDS = 1.0
"""How old a list of the nodes may be; until then the SuperLink is not asked again."""


class KnownNodes:
    """Nodes by their keys."""

    def __init__(self, ask: "Callable[[], Sequence[KnownNode]]") -> None:
        """Have `ask` tell of all of them, from any thread."""
        self._ask = ask
        self._lock = threading.Lock()
        self._nodes: Sequence[KnownNode] = ()
        self._made = -KEPT_SECONDS

    async def find(self, public_key: bytes) -> "KnownNode | None":
        """Return the node with a key; None if none has it.

        What keeps a node away is not from before the question: it may just have been let in, or
        have left, and come at once.
        """
        asked = time.monotonic()
        node = await asyncio.to_thread(self._find, public_key)
        if (node is None or node.online) and self._made < asked:
            await asyncio.sleep(max(self._made + KEPT_SECONDS - time.monotonic(), 0.0))
            node = await asyncio.to_thread(self._find, public_key)
        return node

    def _find(self, public_key: bytes) -> "KnownNode | None":
        with self._lock:
            now = time.monotonic()
            if now >= self._made + KEPT_SECONDS:
                self._nodes = self._ask()
                self._made = now
            return next((node for node in self._nodes if node.public_key == public_key), None)
