"""Pieces of messages that processes of one machine hand over as files, by name."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flwr.app import ConfigRecord
from flwr.proto.message_pb2 import (
    ObjectTree,
    PullObjectRequest,
    PullObjectResponse,
    PushObjectRequest,
    PushObjectResponse,
)
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable import inflatable_protobuf_utils
from flwr.supercore.inflatable.inflatable_utils import ObjectPullError, ObjectPushError
from flwr.supercore.object_store import NoObjectInStoreError, ObjectStore

from zk0_core.engines._flower_pieces import FOLDER, Pieces, hand_over, serve_by_name
from zk0_core.engines._flower_store import FileObjectStore
from zk0_core.engines._flower_supernode import NodeObjectStore

CONTENT = ConfigRecord({"value": 1}).deflate()
KEY = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["SuperNode", "SuperLink"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A store that a piece was announced to."""
    store: ObjectStore
    if request.param == "SuperNode":
        store = NodeObjectStore(tmp_path / FOLDER)
    else:
        store = FileObjectStore(str(tmp_path / "superlink.db"))
        store.initialize()
    assert store.preregister(1, ObjectTree(object_id=KEY)) == [KEY]
    return store


@pytest.fixture
def handlers(store: ObjectStore) -> ModuleType:
    """The calls of a Runtime API over that store, served by name."""
    handlers = ModuleType("handlers")

    def push_object(request: PushObjectRequest) -> PushObjectResponse:
        try:
            store.put(request.object_id, request.object_content)
        except (ValueError, NoObjectInStoreError):
            return PushObjectResponse(stored=False)
        return PushObjectResponse(stored=True)

    def pull_object(request: PullObjectRequest) -> PullObjectResponse:
        content = store.get(request.object_id)
        return PullObjectResponse(
            object_found=content is not None,
            object_available=bool(content),
            object_content=content or b"",
        )

    vars(handlers).update(push_object=push_object, pull_object=pull_object)
    serve_by_name(handlers)
    return handlers


@pytest.fixture
def app(tmp_path: Path) -> ModuleType:
    """A module of Flower's that pushes and pulls pieces, on the same machine."""
    app = ModuleType("app")
    for name in ("make_push_object_fn_protobuf", "make_pull_object_fn_protobuf"):
        vars(app)[name] = vars(inflatable_protobuf_utils)[name]
    hand_over(app, Pieces(tmp_path / FOLDER))
    return app


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / FOLDER).iterdir()]


def push(app: ModuleType, handlers: ModuleType) -> Any:
    return app.make_push_object_fn_protobuf(
        handlers.push_object, Node(node_id=1), run_id=1, session_id="one"
    )


def pull(app: ModuleType, handlers: ModuleType) -> Any:
    return app.make_pull_object_fn_protobuf(handlers.pull_object, Node(node_id=1), 1)


def test_a_piece_is_handed_over_both_ways(
    app: ModuleType, handlers: ModuleType, store: ObjectStore, tmp_path: Path
) -> None:
    push(app, handlers)(KEY, CONTENT)
    assert pull(app, handlers)(KEY) == CONTENT
    # Over the network it goes as it is.
    assert store.get(KEY) == CONTENT
    assert files(tmp_path) == [CONTENT]
    store.delete(KEY)
    assert files(tmp_path) == []


def test_what_came_over_the_network_is_handed_over(
    app: ModuleType, handlers: ModuleType, store: ObjectStore
) -> None:
    store.put(KEY, CONTENT)
    assert pull(app, handlers)(KEY) == CONTENT


def test_a_piece_that_nobody_wants_leaves_no_file(
    app: ModuleType, handlers: ModuleType, store: ObjectStore, tmp_path: Path
) -> None:
    store.delete(KEY)
    with pytest.raises(ObjectPushError):
        push(app, handlers)(KEY, CONTENT)
    assert files(tmp_path) == []


def test_what_is_refused_before_it_is_looked_at_leaves_no_file(
    app: ModuleType, handlers: ModuleType, tmp_path: Path
) -> None:
    vars(handlers)["push_object"] = lambda request: PushObjectResponse(stored=False)
    with pytest.raises(ObjectPushError):
        push(app, handlers)(KEY, CONTENT)
    assert files(tmp_path) == []


def test_a_file_that_a_new_superlink_removed_is_written_again(
    app: ModuleType, handlers: ModuleType, store: ObjectStore, tmp_path: Path
) -> None:
    take, asked = handlers.push_object, []

    def begins_anew(request: PushObjectRequest) -> PushObjectResponse:
        asked.append(request.object_content)
        if len(asked) == 1:
            for path in (tmp_path / FOLDER).iterdir():
                path.unlink()
        response: PushObjectResponse = take(request)
        return response

    vars(handlers)["push_object"] = begins_anew
    push(app, handlers)(KEY, CONTENT)
    assert (len(asked), store.get(KEY), files(tmp_path)) == (2, CONTENT, [CONTENT])


def test_a_node_whose_disk_is_full_says_goodbye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Flower drops such a message without a word, and the server would wait for its answer."""
    store = NodeObjectStore(tmp_path / FOLDER)
    store.preregister(1, ObjectTree(object_id=KEY))
    signals: list[tuple[int, int]] = []

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    with pytest.raises(OSError, match="No space left"):
        store.put(KEY, CONTENT)
    assert signals == [(os.getpid(), signal.SIGTERM)]
    assert capsys.readouterr().out == (
        "a piece of a message cannot be kept: [Errno 28] No space left on device; this SuperNode "
        "ends\n"
    )


def test_a_piece_that_is_there_already_is_kept_once(
    app: ModuleType, handlers: ModuleType, store: ObjectStore, tmp_path: Path
) -> None:
    store.put(KEY, CONTENT)
    push(app, handlers)(KEY, CONTENT)
    assert files(tmp_path) == [CONTENT]


@pytest.mark.parametrize("name", ["../superlink.db", "0" * 32, "", "zk0\xe4"])
def test_only_files_of_the_folder_are_taken(
    handlers: ModuleType, store: ObjectStore, tmp_path: Path, name: str
) -> None:
    (tmp_path / "superlink.db").touch()
    request = PushObjectRequest(object_id=KEY, object_content=name.encode())
    assert not handlers.push_object(request).stored
    assert store.get(KEY) == b""


def test_from_elsewhere_a_name_is_no_piece(
    app: ModuleType, store: ObjectStore, tmp_path: Path
) -> None:
    name = Pieces(tmp_path / FOLDER).write(CONTENT)
    with pytest.raises(ValueError, match="does not match content hash"):
        store.put(KEY, name.encode())


def test_a_piece_that_was_forgotten_is_an_error(
    app: ModuleType, handlers: ModuleType, store: ObjectStore, tmp_path: Path
) -> None:
    store.put(KEY, CONTENT)
    for path in (tmp_path / FOLDER).iterdir():
        path.unlink()
    with pytest.raises(ObjectPullError, match="its file is gone"):
        pull(app, handlers)(KEY)


def test_a_node_forgets_what_the_last_one_held(tmp_path: Path) -> None:
    Pieces(tmp_path / FOLDER).write(CONTENT)
    NodeObjectStore(tmp_path / FOLDER)
    assert files(tmp_path) == []


def test_a_node_forgets_a_message_with_all_that_it_refers_to(tmp_path: Path) -> None:
    store = NodeObjectStore(tmp_path / FOLDER)
    child = ConfigRecord({"value": 2}).deflate()
    tree = ObjectTree(object_id=KEY)
    tree.children.append(ObjectTree(object_id=hashlib.sha256(child).hexdigest()))
    store.preregister(1, tree)
    for content in (CONTENT, child):
        store.put(hashlib.sha256(content).hexdigest(), content)
    with pytest.raises(ValueError, match="does not match content hash"):
        store.put(KEY, child)
    assert len(files(tmp_path)) == 2
    store.delete(KEY)
    assert (files(tmp_path), len(store)) == ([], 0)
    store.preregister(1, tree)
    store.put(KEY, CONTENT)
    store.clear()
    assert (files(tmp_path), len(store)) == ([], 0)


def test_a_node_starts_without_a_database() -> None:
    program = (
        "from zk0_core.federation.supernode import leave_out_the_database\n"
        "leave_out_the_database()\n"
        "import sys\n"
        "import zk0_core.engines._flower_supernode\n"
        "from flwr.supernode.cli import flower_supernode\n"
        "import flwr.supernode.main\n"
        "print(sorted({'sqlalchemy', 'alembic'} & sys.modules.keys()))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", program]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "[]\n"
