"""An error in one line, with its place in a plugin's code where it comes from one."""

import importlib.metadata
import traceback

from zk0_core.registry import GROUP, source_of


def described(error: BaseException) -> str:
    """Return what `error` is in one line, with its place in a plugin's code if it has one there."""
    place = place_of(error)
    return f"{type(error).__name__}: {error}{place and f', in {place}'}"


def place_of(error: BaseException) -> str:
    """Return where in a plugin's code `error` comes from, as "module line 3 of package 1.0".

    Empty where no plugin has to do with it but zk0-core's own. No plugin is loaded for this.
    """
    entry_points = importlib.metadata.entry_points(group=GROUP)
    sources = {entry.module.partition(".")[0]: source_of(entry) for entry in entry_points}
    sources.pop("zk0_core", None)
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if source := sources.get(module.partition(".")[0]):
            place = f"{module} line {line} of {source}"
    return place
