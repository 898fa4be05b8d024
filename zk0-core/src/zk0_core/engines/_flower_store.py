"""Flower's SuperLink, with the pieces of messages in files beside its database.

Tensors travel in pieces of 20 MB. Flower's own store puts each into a row of the database, which
writes it twice and takes as much time as all else that the SuperLink does. Here a row holds the
name of a file instead. What a row says and when it goes stays Flower's.
"""

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flwr.supercore.inflatable.inflatable_object import get_object_id
from flwr.supercore.inflatable.inflatable_utils import validate_object_content
from flwr.supercore.object_store import object_store_factory
from flwr.supercore.object_store.sql_object_store import SqlObjectStore
from flwr.supercore.state.schema.objectstore_models import StoredObject
from sqlalchemy import event, select, update

from zk0_core.engines._flower_http import serve_well

FOLDER = "pieces"
"""Beside the database."""


class FileObjectStore(SqlObjectStore):
    """Flower's store of objects by their hash, whose rows name files with the contents."""

    def __init__(self, database_path: str) -> None:
        """Use the database at `database_path` and a folder beside it."""
        # The hash is checked here, on what goes into the file, and not on the row.
        super().__init__(database_path, verify=False)
        self._folder = Path(database_path).resolve().parent / FOLDER

    def initialize(self, log_queries: bool = False, **engine_kwargs: Any) -> list[str]:
        """Open the database; what a machine that lost its power left in halves is asked for again.

        The database may then name files whose bytes never reached the disk.
        """
        tables = super().initialize(log_queries, **engine_kwargs)
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.session() as session:
            held = select(StoredObject.object_id, StoredObject.content).where(
                StoredObject.is_available == 1
            )
            rows = {str(key): _name(content) for key, content in session.execute(held)}
            damaged = [key for key, name in rows.items() if not self._is_whole(key, name)]
            for key in damaged:
                session.execute(
                    update(StoredObject)
                    .where(StoredObject.object_id == key)
                    .values(content=b"", is_available=0)
                )
        whole = {name for key, name in rows.items() if key not in damaged}
        _remove(path for path in self._folder.iterdir() if path.name not in whole)
        return tables

    def put(self, object_id: str, object_content: bytes) -> None:
        """Keep an object that was announced.

        Raises:
            ValueError: if the content is not what its id says.
            NoObjectInStoreError: if nobody announced it.
        """
        if object_id != get_object_id(object_content):
            raise ValueError(f"Object ID {object_id} does not match content hash")
        validate_object_content(content=object_content)
        # A name of its own for each, so that one that is being forgotten is another's file.
        path = self._folder / uuid.uuid4().hex
        kept = False
        try:
            path.write_bytes(object_content)
            with self.session() as session:
                super().put(object_id, path.name.encode())
                kept = super().get(object_id) == path.name.encode()
                event.listen(session, "after_rollback", lambda _: _remove([path]), once=True)
        finally:
            if not kept:
                path.unlink(missing_ok=True)

    def get(self, object_id: str) -> bytes | None:
        """Return an object; empty while it is announced and not there, None if it is unknown."""
        name = super().get(object_id)
        if not name:
            return name
        try:
            return (self._folder / _name(name)).read_bytes()
        except FileNotFoundError:  # forgotten since we looked
            return None

    def delete(self, object_id: str) -> None:
        """Forget an object unless another one refers to it; what it refers to goes with it."""
        with self._mutation_session() as session:
            name = super().get(object_id)
            super().delete(object_id)
            if name and object_id not in self:
                path = self._folder / _name(name)
                # The row may come back until then.
                event.listen(session, "after_commit", lambda _: _remove([path]), once=True)

    def clear(self) -> None:
        """Forget everything."""
        super().clear()
        _remove(self._folder.iterdir())

    def _is_whole(self, object_id: str, name: str) -> bool:
        """Whether the file `name` holds the object."""
        path = self._folder / name
        return path.is_file() and get_object_id(path.read_bytes()) == object_id


def _name(content: bytes | None) -> str:
    return (content or b"").decode("ascii", "replace")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def run_superlink() -> None:
    """Be Flower's SuperLink, with the flags in `sys.argv`."""
    from flwr.superlink.cli import flower_superlink

    assert vars(object_store_factory)["SqlObjectStore"] is SqlObjectStore
    vars(object_store_factory)["SqlObjectStore"] = FileObjectStore
    serve_well()
    flower_superlink()
