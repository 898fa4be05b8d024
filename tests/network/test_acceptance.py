"""What a node agrees to train."""

import attrs
import pytest

from zk0_core.engines.apps import recipe_of
from zk0_core.errors import PluginError, UsageError
from zk0_core.federation.acceptance import accepted
from zk0_core.plan import PluginChoice
from zk0_core.testing import examples
from zk0_core.wire.orders import WIRE_VERSION, Recipe


@pytest.fixture
def recipe() -> Recipe:
    return recipe_of(examples.plan())


def refusal(recipe: Recipe, kind: type[UsageError] = UsageError) -> str:
    with pytest.raises(kind) as refused:
        accepted(recipe, "cpu")
    return str(refused.value)


def test_a_node_trains_on_its_own_device(recipe: Recipe) -> None:
    assert accepted(recipe, "cpu") == recipe
    assert accepted(recipe, "cuda:1") == attrs.evolve(recipe, device="cuda:1")


def test_messages_of_another_version(recipe: Recipe) -> None:
    assert refusal(attrs.evolve(recipe, wire=WIRE_VERSION + 1)) == (
        f"the server's messages have version {WIRE_VERSION + 1}, this node's {WIRE_VERSION}; "
        "install the same version of zk0 on both"
    )


def test_a_client_half_of_another_version(recipe: Recipe) -> None:
    strategy = PluginChoice("strategy", "fedprox", {"mu": 0.0}, "zk0-strategies", "9.9", 2)
    said = refusal(attrs.evolve(recipe, strategy=strategy))
    assert said.startswith("client half of strategy 'fedprox': this node has version 1 (")
    assert said.endswith("), the server 2 (zk0-strategies 9.9); install the same one on both")


def test_a_plugin_that_is_not_here(recipe: Recipe) -> None:
    said = refusal(attrs.evolve(recipe, codec=PluginChoice("codec", "secret")), PluginError)
    assert "'secret'" in said


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "~/models", "../up", "https://example.org/x", "$HOME", "\\\\host"]
)
def test_no_place_is_taken_from_a_server(recipe: Recipe, place: str) -> None:
    for options, path in (
        ({"path": place}, "policy.path"),
        ({"paths": ("fine", place)}, "policy.paths"),
        ({"rename": {"a": place}}, "policy.rename.a"),
    ):
        policy = PluginChoice("policy", "smolvla-tiny", options)
        assert refusal(attrs.evolve(recipe, policy=policy)) == (
            f"the server set {path} to '{place}', which names a place; a node takes none from a "
            "server"
        )
