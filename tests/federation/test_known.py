"""The front's list of nodes: seldom asked for, and never the reason why a node is kept away."""

import asyncio
from types import SimpleNamespace

import attrs
import pytest

from zk0_core.engines._flower_control import KnownNode
from zk0_core.federation import known
from zk0_core.federation.known import KnownNodes

ANN = KnownNode(1, "ann", b"ann's", False, "2026-01-01", "")


class Asked:
    """A SuperLink whose nodes are `nodes`, and a clock that a wait turns on."""

    def __init__(self) -> None:
        self.nodes: list[KnownNode] = []
        self.times = 0
        self.now = 100.0
        self.known = KnownNodes(self._tell)

    def _tell(self) -> list[KnownNode]:
        self.times += 1
        return list(self.nodes)

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now += seconds

    def find(self, public_key: bytes = b"ann's") -> KnownNode | None:
        """Return what is found half a second after the last time."""
        self.now += 0.5
        return asyncio.run(self.known.find(public_key))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(known, "time", SimpleNamespace(monotonic=lambda: asked.now))
    beside = SimpleNamespace(to_thread=asyncio.to_thread, sleep=asked.sleep)
    monkeypatch.setattr(known, "asyncio", beside)
    return asked


def test_a_known_node_is_told_from_the_list(asked: Asked) -> None:
    asked.nodes = [ANN]
    assert asked.find() == asked.find() == ANN
    assert (asked.times, asked.now) == (1, 101.0)


def test_a_stranger_waits_for_the_next_list(asked: Asked) -> None:
    """The first is told from a list made for it, the second half a second later, and so on."""
    for lists, now in [(1, 100.5), (2, 101.5), (3, 102.5)]:
        assert asked.find(b"nobody's") is None
        assert (asked.times, asked.now) == (lists, now)


def test_a_node_that_was_let_in_since_the_list_is_known(asked: Asked) -> None:
    assert asked.find() is None
    asked.nodes = [ANN]
    assert asked.find() == ANN


def test_a_node_that_left_since_the_list_may_come(asked: Asked) -> None:
    asked.nodes = [attrs.evolve(ANN, online=True)]
    found = asked.find()
    assert found is not None and found.online
    asked.nodes = [ANN]
    assert asked.find() == ANN
