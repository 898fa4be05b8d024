"""Personal parts: tensors that stay with their client, chosen by patterns of their names.

Every strategy has the option `personal`. Tensors whose names match are neither sent nor received:
each client trains its own and keeps them in its state from round to round, and on the server they
stay as they were at the start. Arivazhagan et al. 2019, "Federated Learning with Personalization
Layers", keep the last layers so; Li et al. 2021, "FedBN", the normalisation layers.
"""

import difflib
import fnmatch
from collections.abc import Collection, Mapping, Sequence

from zk0_core.errors import UsageError
from zk0_core.plan import PluginChoice

SHOWN = 3
"""How many near names an error shows."""


def personal_patterns(strategy: PluginChoice) -> Sequence[str]:
    """Return the patterns that a strategy's options give; none where it has no such option."""
    return tuple(strategy.options.get("personal", ()))


def split[Value](
    tensors: Mapping[str, Value], patterns: Sequence[str]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Return the shared and the personal ones of `tensors`."""
    shared: dict[str, Value] = {}
    personal: dict[str, Value] = {}
    for name, value in tensors.items():
        (personal if any(_matches(name, each) for each in patterns) else shared)[name] = value
    return shared, personal


def check_personal(names: Collection[str], patterns: Sequence[str]) -> None:
    """Check the patterns against the names of the policy's tensors.

    Raises:
        UsageError: if a pattern matches none of `names`, or nothing is left to exchange.
    """
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in names):
            near = difflib.get_close_matches(pattern, list(names), n=SHOWN, cutoff=0.0)
            raise UsageError(
                f"strategy.personal: '{pattern}' matches no tensor of the policy; "
                f"the nearest are {', '.join(near)}"
            )
    if patterns and not split(dict.fromkeys(names), patterns)[0]:
        raise UsageError(
            f"strategy.personal: {', '.join(patterns)} leaves no tensor to exchange; "
            "leave a pattern out"
        )


def _matches(name: str, pattern: str) -> bool:
    """Return whether `pattern` matches the name, or what follows one of its dots."""
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"*.{pattern}")
