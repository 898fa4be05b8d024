"""Whether what a strategy returns can be the global model."""

import numpy as np

from zk0_core.errors import PluginError
from zk0_core.plan import PluginChoice
from zk0_core.tensors import Tensors, as_arrays


def fitting(new: Tensors, old: Tensors, strategy: PluginChoice) -> Tensors:
    """Return `new` as arrays, found finite, and to have the names, shapes and dtypes of `old`.

    Args:
        new: What the strategy's `finish` returned.
        old: The global parameters that the round began with.
        strategy: Whose it is, for the error.

    Raises:
        PluginError: if it does not fit; the text says what differs.
    """
    missing, unknown = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    problem = ""
    if missing or unknown:
        problem = f"parameters missing: {_few(missing)}, unknown: {_few(unknown)}"
    for name in sorted(old.keys() & new.keys()):
        found, wanted = new[name], old[name]
        if (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            problem = f"{name} as {found.dtype} {found.shape}, not {wanted.dtype} {wanted.shape}"
            break
        if not np.isfinite(found).all():
            problem = f"NaN or infinity in {name}"
            break
    if problem:
        raise returned(strategy, problem)
    return as_arrays(new)


def returned(plugin: PluginChoice, what: str) -> PluginError:
    """Return the error that says what `plugin` returned in place of what it should."""
    kind, name = plugin.kind, plugin.name
    return PluginError(
        f"{kind} '{name}' of {plugin.distribution} {plugin.version} returned {what}; choose "
        f"another {kind}, or correct it: zk0 plugins test {name}"
    )


def _few(names: list[str]) -> str:
    shown = ", ".join(names[:3]) or "none"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
