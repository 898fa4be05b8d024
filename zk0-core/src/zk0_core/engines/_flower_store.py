"""Flower's SuperLink, with the pieces of messages in files beside its database.

Tensors travel in pieces of 20 MB. Flower's own store puts each into a row of the database, which
writes it twice and takes as much time as all else that the SuperLink does. Here a row holds the
name of a file instead. What a row says and when it goes stays Flower's.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flwr.supercore.inflatable.inflatable_object import get_object_id
from flwr.supercore.object_store import object_store_factory
from flwr.supercore.object_store.sql_object_store import SqlObjectStore
from flwr.supercore.state.schema.objectstore_models import StoredObject
from sqlalchemy import event, select, update

from zk0_core.engines._flower_http import serve_well
from zk0_core.engines._flower_pieces import (
    BY_NAME,
    FOLDER,
    Pieces,
    as_name,
    by_name,
    serve_by_name,
)
from zk0_core.wire.packing import one_line

if TYPE_CHECKING:
    from flwr.supercore.corestate.sql_corestate import SqlCoreState

CLEAN_SECONDS = 1.0
"""Between two looks for tasks that nobody has sent a heartbeat for, who get half a minute."""


class FileObjectStore(SqlObjectStore):
    """Flower's store of objects by their hash, whose rows name files with the contents."""

    def __init__(self, database_path: str) -> None:
        """Use the database at `database_path` and a folder beside it."""
        # The hash is checked on what goes into the file, and not on the row.
        super().__init__(database_path, verify=False)
        self.pieces = Pieces(Path(database_path).resolve().parent / FOLDER)
        """Where the contents are."""

    def initialize(self, log_queries: bool = False, **engine_kwargs: Any) -> list[str]:
        """Open the database; what a machine that lost its power left in halves is asked for again.

        The database may then name files whose bytes never reached the disk.
        """
        tables = super().initialize(log_queries, **engine_kwargs)
        with self.session() as session:
            held = select(StoredObject.object_id, StoredObject.content).where(
                StoredObject.is_available == 1
            )
            rows = {str(key): as_name(content) for key, content in session.execute(held)}
            damaged = [key for key, name in rows.items() if not self._is_whole(key, name)]
            for key in damaged:
                session.execute(
                    update(StoredObject)
                    .where(StoredObject.object_id == key)
                    .values(content=b"", is_available=0)
                )
        whole = {name for key, name in rows.items() if key not in damaged}
        self.pieces.remove(self.pieces.names() - whole)
        return tables

    def put(self, object_id: str, object_content: bytes) -> None:
        """Keep an object that was announced.

        Raises:
            ValueError: if the content is not what its id says.
            NoObjectInStoreError: if nobody announced it.
        """
        name = self.pieces.received(object_id, object_content)
        with self.session() as session:
            self.pieces.keep(name, object_id, super().put, super().get)
            event.listen(session, "after_rollback", lambda _: self.pieces.remove([name]), once=True)

    def get(self, object_id: str) -> bytes | None:
        """Return an object; empty while it is announced and not there, None if it is unknown."""
        name = super().get(object_id)
        return self.pieces.given(name) if name else name

    def delete(self, object_id: str) -> None:
        """Forget an object unless another one refers to it; what it refers to goes with it."""
        with self._mutation_session() as session:
            name = super().get(object_id)
            super().delete(object_id)
            if name and object_id not in self:
                # The row may come back until then.
                event.listen(
                    session,
                    "after_commit",
                    lambda _: self.pieces.remove([as_name(name)]),
                    once=True,
                )

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        self.pieces.remove(self.pieces.names())

    def _is_whole(self, object_id: str, name: str) -> bool:
        """Whether the file `name` holds the object."""
        content = self.pieces.read(name) if name else None
        return content is not None and get_object_id(content) == object_id


def seldom(clean: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return `clean`, for calls that do nothing until CLEAN_SECONDS after the last that did.

    It writes to the database, and each call waits for who writes already.
    """
    cleaned = -CLEAN_SECONDS

    @functools.wraps(clean)
    def clean_seldom(state: Any) -> None:
        nonlocal cleaned
        if time.monotonic() - cleaned >= CLEAN_SECONDS:
            cleaned = time.monotonic()
            clean(state)

    return clean_seldom


def received_first(store_object: Callable[..., bool]) -> Callable[..., bool]:
    """Return Flower's `store_object`, which is given the file of a piece that came and was checked.

    Flower's holds the database's lock until the piece is kept. All other writers would wait while
    megabytes are hashed and written. And what is brought by name a second time, since the answer
    was lost, is kept already: Flower's would refuse it, and whoever brought it remove its file.
    """

    @functools.wraps(store_object)
    def store_received(
        state: "SqlCoreState", run_id: int, session_id: str, object_id: str, object_content: bytes
    ) -> bool:
        store = cast(FileObjectStore, state.object_store)
        if BY_NAME.get():
            stored = store_object(state, run_id, session_id, object_id, object_content)
            return stored or store.get(object_id) == object_content
        try:
            name = store.pieces.received(object_id, object_content)
        except (ValueError, OSError) as problem:
            # A node may have written what is wrong with it.
            text = one_line(str(problem), 200)
            print(f"a piece of a message cannot be kept: {text}", flush=True)
            return False
        with by_name():
            stored = store_object(state, run_id, session_id, object_id, name.encode())
        if not stored:
            store.pieces.remove([name])
        return stored

    return store_received


def run_superlink() -> None:
    """Be Flower's SuperLink, with the flags in `sys.argv`."""
    from flwr.supercore.corestate.sql_corestate import SqlCoreState
    from flwr.superlink.cli import flower_superlink
    from flwr.superlink.servicer.runtime import runtime_handlers

    # Flower cleans up before each call, and keeps others from the database while files are written.
    clean, store = "_cleanup_expired_task_tokens", "store_object"
    setattr(SqlCoreState, clean, seldom(getattr(SqlCoreState, clean)))
    setattr(SqlCoreState, store, received_first(getattr(SqlCoreState, store)))
    assert vars(object_store_factory)["SqlObjectStore"] is SqlObjectStore
    vars(object_store_factory)["SqlObjectStore"] = FileObjectStore
    serve_by_name(runtime_handlers)
    serve_well()
    flower_superlink()
