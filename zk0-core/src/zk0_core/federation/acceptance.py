"""What a node agrees to train: its own code, the same halves as the server's, its own device."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from zk0_core.errors import UsageError
from zk0_core.parts import installed
from zk0_core.plan import PluginChoice
from zk0_core.wire.orders import WIRE_VERSION, Recipe

PATH = "policy.path"
"""The option that names a saved policy."""


def accepted(recipe: Recipe, device: str) -> Recipe:
    """Return `recipe` as this node carries it out: on its own device.

    Which plugins there are is for the node to say, with ZK0_LOAD_PLUGINS.

    Args:
        recipe: What the server asks for.
        device: Where this node trains.

    Raises:
        UsageError: if a plugin is not there or its client half is of another version, if messages
            have another form, or if an option names a place on this machine or elsewhere; a saved
            policy is one of the Hub's.
    """
    if recipe.wire != WIRE_VERSION:
        raise UsageError(
            f"the server's messages have version {recipe.wire}, this node's {WIRE_VERSION}; "
            "install the same version of zk0 on both"
        )
    for choice in (recipe.policy, recipe.strategy, recipe.codec):
        _check_half(choice)
        for option, value in _texts(choice.options, choice.kind):
            _check_text(option, value)
    return attrs.evolve(recipe, device=device)


def _check_half(choice: PluginChoice) -> None:
    plugin = installed().find(choice.kind, choice.name, choice.distribution)
    mine = getattr(plugin.record, "client_api", 1)
    if mine != choice.client_api:
        raise UsageError(
            f"client half of {choice.kind} '{choice.name}': this node has version {mine} "
            f"({plugin.source}), the server {choice.client_api} "
            f"({choice.distribution} {choice.version}); install the same one on both"
        )


def _check_text(option: str, value: str) -> None:
    """Raise UsageError if `value` names, or would open, what the server has no say in."""
    if _is_place(value):
        raise UsageError(
            f"the server set {option} to '{value}', which names a place; "
            "a node takes none from a server"
        )
    is_path = option == PATH
    if is_path and not _is_on_the_hub(value):
        raise UsageError(
            f"the server set {option} to '{value}', which is no name on the Hub; "
            "a node takes nothing but owner/name from a server"
        )
    # A name on the Hub is a relative path as well, and whoever opens it may look there first.
    if (is_path or "/" in value) and os.path.exists(value):
        raise UsageError(
            f"the server set {option} to '{value}', which is also there in the folder that this "
            "node was started in; a node opens none of its own for a server: start it in another"
        )


def _is_place(value: str) -> bool:
    if value.startswith(("/", "~", ".")) or any(sign in value for sign in ("://", "\\", "$")):
        return True
    parts = value.split("/")
    return len(parts) > 1 and not {"", ".", ".."}.isdisjoint(parts)


def _is_on_the_hub(value: str) -> bool:
    """Whether `value` is owner/name, as the Hub allows them; nobody is asked."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public

    try:
        validate_repo_id(value)
    except HFValidationError:
        return False
    return "/" in value


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts in `value`, whatever they are nested in, with their paths."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _texts(entry, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry, path)
