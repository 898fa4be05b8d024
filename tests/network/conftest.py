"""Federations that a module shares, servers that only answer a first question, conductors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.network.conducting import BY_HAND, SuperLink
from tests.network.crowd import NAMES
from tests.network.hello import Serve, serving
from tests.network.world import World, wait_until
from zk0_core.federation import conductor as conducting
from zk0_core.federation.certificates import ensure_node_key
from zk0_core.federation.conductor import Conductor
from zk0_core.federation.folder import NodeFolder, ServerFolder
from zk0_core.federation.records import ServerSettings
from zk0_core.federation.runs import Runs


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"))
    try:
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module")
def crowd(world: World) -> World:
    """Three nodes are enrolled, of which ann and bob run."""
    world.start_server()
    for name in NAMES:
        world.enroll(name)
    for name in NAMES[:2]:
        world.start_node(name)
    world.await_nodes(*NAMES[:2])
    return world


@pytest.fixture
def nothing_goes_on(crowd: World) -> Iterator[None]:
    """Begin when all nodes are free, and leave no run behind when a test fails in its middle."""
    for name in NAMES:
        wait_until(f"{name} is free", lambda name=name: crowd.node(name).get("state") != "training")
    yield
    for entry in Runs(crowd.server).all():
        if not entry.over:
            crowd.zk0("stop", entry.name)


@pytest.fixture
def node(tmp_path: Path) -> NodeFolder:
    """The folder of a node that has a key."""
    folder = NodeFolder(tmp_path / "client")
    ensure_node_key(folder.key)
    return folder


@pytest.fixture
def serve(tmp_path: Path, node: NodeFolder) -> Iterator[Serve]:
    """Starts servers that answer as given, whose authority `node` knows."""
    with serving(tmp_path / "certificates", node) as start:
        yield start


@pytest.fixture
def superlink() -> SuperLink:
    return SuperLink()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(ServerFolder(tmp_path))


@pytest.fixture
def look(tmp_path: Path, superlink: SuperLink, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conducting, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(conducting, "bundle", lambda: b"")
    conductors: dict[ServerSettings, Conductor] = {}

    def look(settings: ServerSettings = BY_HAND) -> Conductor:
        if settings not in conductors:
            conductors[settings] = Conductor(ServerFolder(tmp_path), superlink, settings)
        conductors[settings].look()
        return conductors[settings]

    return look
