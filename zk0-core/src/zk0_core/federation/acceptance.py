"""What a node agrees to train: its own code, the same halves as the server's, its own device."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from zk0_core.errors import UsageError
from zk0_core.parts import installed
from zk0_core.plan import PluginChoice
from zk0_core.wire.orders import WIRE_VERSION, Recipe


def accepted(recipe: Recipe, device: str) -> Recipe:
    """Return `recipe` as this node carries it out: on its own device.

    Which plugins there are is for the node to say, with ZK0_LOAD_PLUGINS.

    Args:
        recipe: What the server asks for.
        device: Where this node trains.

    Raises:
        UsageError: if a plugin is not there or its client half is of another version, if messages
            have another form, or if an option names a place on this machine or elsewhere.
    """
    if recipe.wire != WIRE_VERSION:
        raise UsageError(
            f"the server's messages have version {recipe.wire}, this node's {WIRE_VERSION}; "
            "install the same version of zk0 on both"
        )
    for choice in (recipe.policy, recipe.strategy, recipe.codec):
        _check_half(choice)
        for option, value in _texts(choice.options, choice.kind):
            if value.startswith(("/", "~", ".")) or any(
                sign in value for sign in ("://", "\\", "$")
            ):
                raise UsageError(
                    f"the server set {option} to '{value}', which names a place; "
                    "a node takes none from a server"
                )
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


def _texts(options: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts among `options`, lists and tables included, with their paths."""
    for name, value in options.items():
        if isinstance(value, str):
            yield f"{path}.{name}", value
        elif isinstance(value, Mapping):
            yield from _texts(value, f"{path}.{name}")
        elif isinstance(value, list | tuple):
            for entry in value:
                if isinstance(entry, str):
                    yield f"{path}.{name}", entry
