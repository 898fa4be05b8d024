"""Flower's SuperNode, with the pieces of messages in files: what else zk0 changes in it."""

import functools
import os
import signal
import time
import types
from pathlib import Path
from typing import Any

from flwr.supercore.object_store.in_memory_object_store import InMemoryObjectStore

from zk0_core.engines._flower_http import serve_well
from zk0_core.engines._flower_network import PIECE_SECONDS, look_for_pieces_every
from zk0_core.engines._flower_pieces import Pieces, as_name, serve_by_name

LOOK_SECONDS, LOOK_SECONDS_BESIDE = 1.0, 0.1
"""Between a node's looks for a message from its server, and for the answer beside it."""


class NodeObjectStore(InMemoryObjectStore):
    """Flower's store of objects by their hash, with names of files in place of the contents."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; what one that was killed left there goes."""
        super().__init__(verify=False)
        self._pieces = Pieces(folder)
        self._pieces.remove(self._pieces.names())

    def put(self, object_id: str, object_content: bytes) -> None:
        """Keep an object that was announced.

        Raises:
            ValueError: if the content is not what its id says.
            NoObjectInStoreError: if nobody announced it.
        """
        try:
            name = self._pieces.received(object_id, object_content)
        except OSError as problem:
            # Flower would drop the message without a word, and the server wait for its answer.
            print(
                f"a piece of a message cannot be kept: {problem}; this SuperNode ends", flush=True
            )
            os.kill(os.getpid(), signal.SIGTERM)
            raise
        with self.lock_store:
            self._pieces.keep(name, object_id, super().put, super().get)

    def get(self, object_id: str) -> bytes | None:
        """Return an object; empty while it is announced and not there, None if it is unknown."""
        name = super().get(object_id)
        return self._pieces.given(name) if name else name

    def delete(self, object_id: str) -> None:
        """Forget an object unless another one refers to it; what it refers to goes with it."""
        with self.lock_store:
            name = super().get(object_id)
            super().delete(object_id)
            if name and object_id not in self:
                self._pieces.remove([as_name(name)])

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self._pieces.remove(self._pieces.names())


def run_supernode(heartbeat: int, pieces: Path, insecure: bool) -> None:
    """Be Flower's SuperNode, with the flags in `sys.argv`.

    Args:
        heartbeat: A SuperLink misses this node when it has not heard of it for twice so many
            seconds; Flower has a constant for that.
        pieces: A folder for the pieces of messages, of its own.
        insecure: Whether the server has no TLS. Flower's flag for that refuses a node's key.
    """
    import flwr.supercore.heartbeat
    import flwr.supernode.fleet_http_connection
    from flwr.supercore.object_store import object_store_factory
    from flwr.supernode import start_client_internal
    from flwr.supernode.cli import flower_supernode
    from flwr.supernode.servicer.runtime import runtime_handlers

    for module in (flwr.supercore.heartbeat, flwr.supernode.fleet_http_connection):
        assert isinstance(vars(module)["HEARTBEAT_DEFAULT_INTERVAL"], int)
        vars(module)["HEARTBEAT_DEFAULT_INTERVAL"] = heartbeat
    # It uses nothing else of the module `time`.
    assert vars(start_client_internal)["time"] is time
    vars(start_client_internal)["time"] = types.SimpleNamespace(sleep=_sleep)
    look_for_pieces_every(*PIECE_SECONDS)
    assert "InMemoryObjectStore" in vars(object_store_factory)
    vars(object_store_factory)["InMemoryObjectStore"] = functools.partial(NodeObjectStore, pieces)
    serve_by_name(runtime_handlers)
    serve_well()
    if insecure:
        _connect_without_tls()
    flower_supernode()


def _sleep(seconds: float) -> None:
    """Sleep for less than Flower does: 3 s until it asks the server again, 0.5 s where it waits."""
    time.sleep(LOOK_SECONDS if seconds > 1 else LOOK_SECONDS_BESIDE)


def _connect_without_tls() -> None:
    """Have this process's SuperNode connect without TLS, and sign with its key all the same."""
    from flwr.supernode import start_client_internal
    from flwr.supernode.fleet_http_connection import http_request_response

    def plain(address: str, insecure: bool, certificates: object, *rest: Any) -> Any:
        return http_request_response(address, True, None, *rest)

    assert vars(start_client_internal)["http_request_response"] is http_request_response
    vars(start_client_internal)["http_request_response"] = plain
