"""Pieces of messages as files, whose names are all that processes of one machine hand over.

Flower's processes speak HTTP with each other, on one machine too. A piece has some 20 MB, and is
copied a dozen times on such a way, to and from a SuperLink encrypted besides. Here it is written to
a file, and the file's name goes that way.
"""

import functools
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = "pieces"
"""Of a SuperLink, beside its database, or of a SuperNode."""

BY_NAME: ContextVar[bool] = ContextVar("BY_NAME", default=False)
"""Whether who brings a piece or asks for one is on this machine, and means a file's name by it."""

_NAME = re.compile(r"[0-9a-f]{32}")


class Pieces:
    """The files of one folder, with a piece each."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it is made, for this user alone, when it is missing."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder

    def write(self, content: bytes) -> str:
        """Write a piece to a file, whole or not at all, and return the file's name."""
        # A name of its own for each, so that one that is being forgotten is another's file.
        path = self._folder / uuid.uuid4().hex
        try:
            path.write_bytes(content)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.name

    def read(self, name: str) -> bytes | None:
        """Return the piece in a file; None if it is gone."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def received(self, object_id: str, content: bytes) -> str:
        """Return the name of the file that holds the piece `object_id`.

        Args:
            object_id: The SHA-256 of its content.
            content: Its content; where BY_NAME is set, the name of the file that it is in already.

        Raises:
            ValueError: if the content is not what its id says, or names no file here.
        """
        from flwr.supercore.inflatable.inflatable_object import (
            UnexpectedObjectContentError,
            get_object_id,
        )
        from flwr.supercore.inflatable.inflatable_utils import validate_object_content

        if BY_NAME.get():
            name = as_name(content)
            if not _NAME.fullmatch(name) or name not in self:
                raise ValueError(f"Object ID {object_id} is in no file of {self._folder}")
            return name
        if object_id != get_object_id(content):
            raise ValueError(f"Object ID {object_id} does not match content hash")
        try:
            validate_object_content(content=content)
        except UnexpectedObjectContentError as problem:
            raise ValueError(str(problem)) from problem
        return self.write(content)

    def keep(
        self,
        name: str,
        object_id: str,
        put: Callable[[str, bytes], None],
        get: Callable[[str], bytes | None],
    ) -> None:
        """Have a store `put` the name of a received piece; its file goes unless `get` finds it."""
        kept = False
        try:
            put(object_id, name.encode())
            kept = get(object_id) == name.encode()
        finally:
            if not kept:
                self.remove([name])

    def given(self, name: bytes) -> bytes | None:
        """Return the piece in a file, None if it is gone; where BY_NAME is set, the file's name."""
        return name if BY_NAME.get() else self.read(as_name(name))

    def __contains__(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self._folder / name).is_file()

    def names(self) -> set[str]:
        """Return the names of all files."""
        return {path.name for path in self._folder.iterdir()}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are gone already do not matter."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)


def as_name(content: bytes | None) -> str:
    """Return the name of a file as a store keeps it; empty for none."""
    return (content or b"").decode("ascii", "replace")


@contextmanager
def by_name() -> Iterator[None]:
    """Set BY_NAME within the block."""
    before = BY_NAME.set(True)
    try:
        yield
    finally:
        BY_NAME.reset(before)


def serve_by_name(handlers: ModuleType) -> None:
    """Have the calls `handlers` of a Runtime API, which is for this machine, set BY_NAME."""

    def answering(handle: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(handle)
        def answer(*request: Any) -> Any:
            with by_name():
                return handle(*request)

        return answer

    for call in ("push_object", "pull_object"):
        vars(handlers)[call] = answering(vars(handlers)[call])


def pushing(pieces: Pieces) -> Callable[..., Callable[[str, bytes], None]]:
    """Return Flower's `make_push_object_fn_protobuf`, for who takes pieces by name."""
    from flwr.supercore.inflatable.inflatable_protobuf_utils import make_push_object_fn_protobuf
    from flwr.supercore.inflatable.inflatable_utils import ObjectPushError

    def make(*asked: Any, **named: Any) -> Callable[[str, bytes], None]:
        push = make_push_object_fn_protobuf(*asked, **named)

        def named_to(object_id: str, content: bytes) -> bool:
            """Push a piece; return False if its file was removed before it was taken."""
            name = pieces.write(content)
            try:
                push(object_id, name.encode())
            except ObjectPushError:
                if name not in pieces:
                    return False
                pieces.remove([name])
                raise
            except BaseException:
                pieces.remove([name])
                raise
            return True

        def pushed(object_id: str, content: bytes) -> None:
            # A SuperLink that starts anew removes what no row of its names yet.
            if not named_to(object_id, content) and not named_to(object_id, content):
                raise ObjectPushError(object_id, 0, "its file is gone")

        return pushed

    return make


def pulling(pieces: Pieces) -> Callable[..., Callable[[str], bytes]]:
    """Return Flower's `make_pull_object_fn_protobuf`, for who gives pieces by name."""
    from flwr.supercore.inflatable.inflatable_protobuf_utils import make_pull_object_fn_protobuf
    from flwr.supercore.inflatable.inflatable_utils import ObjectPullError

    def make(*asked: Any, **named: Any) -> Callable[[str], bytes]:
        pull = make_pull_object_fn_protobuf(*asked, **named)

        def pulled(object_id: str) -> bytes:
            content = pieces.read(as_name(pull(object_id)))
            if content is None:
                raise ObjectPullError(object_id, "its file is gone")
            return content

        return pulled

    return make


def hand_over(module: ModuleType, pieces: Pieces) -> None:
    """Have Flower's `module`, in this process, push and pull pieces by name."""
    by_name = {
        "make_push_object_fn_protobuf": pushing(pieces),
        "make_pull_object_fn_protobuf": pulling(pieces),
    }
    assert vars(module).keys() >= by_name.keys()
    vars(module).update(by_name)
