"""Where the SuperLink keeps the pieces of messages: rows that name files."""

import errno
import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from flwr.app import ConfigRecord
from flwr.proto.message_pb2 import ObjectTree
from flwr.server.superlink.linkstate import SqlLinkState
from flwr.supercore.object_store import NoObjectInStoreError
from flwr.superlink.federation import NoOpFederationManager

from zk0_core.engines import _flower_store
from zk0_core.engines._flower_pieces import FOLDER, Pieces, by_name
from zk0_core.engines._flower_store import FileObjectStore, received_first, seldom

Piece = tuple[str, bytes]


def piece(value: int) -> Piece:
    """Return an object of Flower's and its id."""
    content = ConfigRecord({"value": value}).deflate()
    return hashlib.sha256(content).hexdigest(), content


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], FileObjectStore]:
    """Return what opens the store as a SuperLink that starts does."""

    def open_store() -> FileObjectStore:
        store = FileObjectStore(str(tmp_path / "superlink.db"))
        store.initialize()
        return store

    return open_store


def files(folder: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in (folder / FOLDER).iterdir())


def announced(store: FileObjectStore, run: int, *pieces: Piece) -> list[str]:
    tree = ObjectTree(object_id=pieces[0][0])
    for object_id, _ in pieces[1:]:
        tree.children.append(ObjectTree(object_id=object_id))
    return store.preregister(run, tree)


def test_contents_are_files_and_outlive_the_process(
    opened: Callable[[], FileObjectStore], tmp_path: Path
) -> None:
    store, (key, content) = opened(), piece(1)
    assert store.get(key) is None
    assert announced(store, 1, (key, content)) == [key]
    assert store.get(key) == b""
    store.put(key, content)
    store.put(key, content)
    assert store.get(key) == opened().get(key) == content
    assert files(tmp_path) == [content]
    assert announced(store, 1, (key, content)) == []


def test_what_is_no_announced_object_is_not_kept(
    opened: Callable[[], FileObjectStore], tmp_path: Path
) -> None:
    store, (key, content), (other, _) = opened(), piece(1), piece(2)
    with pytest.raises(NoObjectInStoreError, match="was not pre-registered"):
        store.put(key, content)
    announced(store, 1, (other, b""))
    with pytest.raises(ValueError, match="does not match content hash"):
        store.put(other, content)
    assert files(tmp_path) == []


def test_what_could_not_be_written_whole_leaves_no_file(
    opened: Callable[[], FileObjectStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, (key, content) = opened(), piece(1)
    announced(store, 1, (key, content))

    def full(path: Path, written: bytes) -> int:
        with path.open("wb") as file:
            file.write(written[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(Path, "write_bytes", full)
        store.put(key, content)
    with pytest.raises(RuntimeError), store.session():
        store.put(key, content)
        raise RuntimeError("whatever the SuperLink does beside it")
    assert (files(tmp_path), store.get(key)) == ([], b"")


def test_files_go_with_their_rows_and_not_before(
    opened: Callable[[], FileObjectStore], tmp_path: Path
) -> None:
    """A piece that two messages share stays until both are gone."""
    store, shared, one, two = opened(), piece(0), piece(1), piece(2)
    for message in (one, two):
        announced(store, 1, message, shared)
        store.put(*message)
    store.put(*shared)
    store.delete(shared[0])
    assert len(files(tmp_path)) == 3
    store.delete(one[0])
    assert files(tmp_path) == sorted([shared[1], two[1]])
    with pytest.raises(RuntimeError), store.session():
        store.delete(two[0])
        raise RuntimeError("whatever the SuperLink does beside it")
    assert store.get(two[0]) == two[1]
    store.delete_objects_in_run(1)
    assert (files(tmp_path), len(store)) == ([], 0)


def test_what_was_lost_with_the_power_is_asked_for_again(
    opened: Callable[[], FileObjectStore], tmp_path: Path
) -> None:
    store, whole, cut, gone = opened(), piece(0), piece(1), piece(2)
    for each in (whole, cut, gone):
        announced(store, 1, each)
        store.put(*each)
    for path in (tmp_path / FOLDER).iterdir():
        if path.read_bytes() == cut[1]:
            path.write_bytes(cut[1][:-1])
        elif path.read_bytes() == gone[1]:
            path.unlink()
    (tmp_path / FOLDER / "of-no-row").touch()
    store = opened()
    assert files(tmp_path) == [whole[1]]
    assert (store.get(whole[0]), store.get(cut[0]), store.get(gone[0])) == (whole[1], b"", b"")
    assert announced(store, 1, cut) == [cut[0]]
    store.put(*cut)
    assert store.get(cut[0]) == cut[1]


def test_tasks_that_nobody_works_at_are_looked_for_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaned: list[str] = []
    clean = seldom(cleaned.append)
    clean("first")
    clean("at once")
    monkeypatch.setattr(_flower_store, "CLEAN_SECONDS", 0.0)
    clean("later")
    assert cleaned == ["first", "later"]


def test_all_of_it_may_go(opened: Callable[[], FileObjectStore], tmp_path: Path) -> None:
    store, one = opened(), piece(1)
    announced(store, 1, one)
    store.put(*one)
    store.clear()
    assert (files(tmp_path), len(store)) == ([], 0)


@pytest.fixture
def state(opened: Callable[[], FileObjectStore], tmp_path: Path) -> SqlLinkState:
    """What a SuperLink knows, in the database of its store."""
    state = SqlLinkState(str(tmp_path / "superlink.db"), NoOpFederationManager(), opened())
    state.initialize()
    return state


def arrives(state: SqlLinkState, session: str, key: str, content: bytes) -> bool:
    return received_first(SqlLinkState.store_object)(state, 1, session, key, content)


def awaited(state: SqlLinkState, key: str) -> str:
    """Return the session in which the object `key` is to come."""
    session = state.start_session(1)
    assert state.preregister_object_tree(ObjectTree(object_id=key), session) == [key]
    return session


def test_while_a_piece_is_written_others_write_to_the_database(
    state: SqlLinkState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key, content), write, free = piece(1), Pieces.write, []

    def write_beside(pieces: Pieces, content: bytes) -> str:
        with sqlite3.connect(tmp_path / "superlink.db", timeout=0) as other:
            other.execute("BEGIN IMMEDIATE")
        other.close()
        free.append(True)
        return write(pieces, content)

    monkeypatch.setattr(Pieces, "write", write_beside)
    assert arrives(state, awaited(state, key), key, content)
    assert free == [True]
    assert state.get_object(1, key) == content
    assert files(tmp_path) == [content]


def test_a_piece_that_is_not_awaited_leaves_no_file(state: SqlLinkState, tmp_path: Path) -> None:
    (key, content), (other, _) = piece(1), piece(2)
    assert not arrives(state, awaited(state, other), key, content)
    assert files(tmp_path) == []


def test_what_cannot_be_kept_is_told(
    state: SqlLinkState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (key, content), (_, another) = piece(1), piece(2)
    session = awaited(state, key)
    assert not arrives(state, session, key, another)
    said = "a piece of a message cannot be kept: "
    assert capsys.readouterr().out == f"{said}Object ID {key} does not match content hash\n"

    forged = b"Thing\nall is well,6\0object"
    id_of_forged = hashlib.sha256(forged).hexdigest()
    assert not arrives(state, awaited(state, id_of_forged), id_of_forged, forged)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{said}Object with ID '{id_of_forged}'")

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert not arrives(state, session, key, content)
    assert "No space left on device" in capsys.readouterr().out
    assert files(tmp_path) == []
    assert arrives(state, session, key, content)


def test_what_is_brought_by_name_again_is_kept(state: SqlLinkState, tmp_path: Path) -> None:
    """Its answer was lost, as when the SuperLink was killed just then."""
    (key, content), (other, _) = piece(1), piece(2)
    session = awaited(state, key)
    name = state.object_store.pieces.write(content)
    with by_name():
        assert arrives(state, session, key, name.encode())
        assert arrives(state, session, key, name.encode())
        assert not arrives(state, session, other, name.encode())
    assert state.get_object(1, key) == content
    assert files(tmp_path) == [content]
