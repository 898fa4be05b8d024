"""How soon a process looks again for a piece of a message: private in Flower."""

import pytest
from flwr.supercore.inflatable.inflatable_utils import (
    ObjectUnavailableError,
    pull_and_inflate_object_from_tree,
    pull_objects,
)

from zk0_core.engines._flower_network import look_for_pieces_every

LOOKS = 600
"""More than Flower takes of its own accord."""


@pytest.fixture(autouse=True)
def flowers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for pull in (pull_objects, pull_and_inflate_object_from_tree):
        monkeypatch.setattr(pull, "__kwdefaults__", dict(pull.__kwdefaults__))


def test_a_piece_that_comes_late_is_waited_for() -> None:
    look_for_pieces_every(0.0, 0.0)
    looks = 0

    def look(name: str) -> bytes:
        nonlocal looks
        looks += 1
        if looks < LOOKS:
            raise ObjectUnavailableError(name)
        return b"piece"

    assert pull_objects(["one"], look) == {"one": b"piece"}
    assert looks == LOOKS


def test_both_ways_of_flower_take_the_seconds() -> None:
    look_for_pieces_every(0.25, 1.5)
    for pull in (pull_objects, pull_and_inflate_object_from_tree):
        waits = pull.__kwdefaults__
        assert (waits["initial_backoff"], waits["backoff_cap"]) == (0.25, 1.5)
