"""What a node agrees to train."""

from pathlib import Path

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
    "place",
    [
        *("/etc/passwd", "~/models", "../up", "https://example.org/x", "$HOME", "\\\\host"),
        *("a/../../b", "a/..", "a/./b", "a//b", "models/"),
    ],
)
def test_no_place_is_taken_from_a_server(recipe: Recipe, place: str) -> None:
    for options, path in (
        ({"path": place}, "policy.path"),
        ({"paths": ("fine", place)}, "policy.paths"),
        ({"rename": {"a": place}}, "policy.rename.a"),
        ({"parts": [{"base": "lift"}, {"base": place}]}, "policy.parts.base"),
        ({"paths": [["fine"], [["fine", place]]]}, "policy.paths"),
    ):
        policy = PluginChoice("policy", "smolvla-tiny", options)
        assert refusal(attrs.evolve(recipe, policy=policy)) == (
            f"the server set {path} to '{place}', which names a place; a node takes none from a "
            "server"
        )


def with_path(recipe: Recipe, path: str) -> Recipe:
    return attrs.evolve(recipe, policy=PluginChoice("policy", "lerobot", {"path": path}))


@pytest.mark.parametrize("path", ["", "private", "a/b/c", "owner/a--b", "owner/name.git", "a/b c"])
def test_a_policy_comes_from_the_hub(recipe: Recipe, path: str) -> None:
    assert refusal(with_path(recipe, path)) == (
        f"the server set policy.path to '{path}', which is no name on the Hub; a node takes "
        "nothing but owner/name from a server"
    )


def test_no_folder_of_the_node_passes_for_one_of_the_hub(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = with_path(recipe, "models/private")
    assert accepted(asked, "cpu") == asked
    (tmp_path / "models" / "private").mkdir(parents=True)
    assert refusal(asked) == (
        "the server set policy.path to 'models/private', which is also there in the folder that "
        "this node was started in; a node opens none of its own for a server: start it in another"
    )
    strategy = attrs.evolve(recipe.strategy, options={"teacher": "models/private"})
    assert refusal(attrs.evolve(recipe, strategy=strategy)).startswith(
        "the server set strategy.teacher to 'models/private', which is also there in the folder"
    )
    # A word that names no path is none, whatever is there.
    (tmp_path / "lift").mkdir()
    base = PluginChoice("policy", "smolvla-tiny", {"base": "lift"})
    assert accepted(attrs.evolve(recipe, policy=base), "cpu").policy == base
