"""What can be wrong with a plugin: each fault in one line that ends with the fix."""

import inspect
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import attrs

from zk0_core.hookspecs import PROJECT, Zk0Specs
from zk0_core.options import describe, did_you_mean
from zk0_core.records import PluginRecord


class Fault(ValueError):
    """A plugin is not made as it must be; its text says what to change."""


def reason_of(error: BaseException, source: str) -> str:
    """Return why a plugin cannot be used, in one line with the fix.

    Args:
        error: What its module, or one of its hooks, raised.
        source: Distribution and version that brought it.
    """
    text = " ".join(str(error).split())
    if isinstance(error, Fault):
        return text
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    distribution = source.partition(" ")[0]
    if isinstance(error, ModuleNotFoundError):
        return f"{said}; install the package that has it, or upgrade or uninstall {distribution}"
    return f"{said}; correct, upgrade or uninstall {distribution}"


def hooks_of(module: ModuleType) -> dict[str, Any]:
    """Return the hook functions of a plugin's module, by name.

    They are called one by one, and not by pluggy's own call over all plugins: with that, a plugin
    that raises would lose everybody's results.

    Raises:
        Fault: if a hook is unknown or takes arguments, or there is none.
    """
    specs = [name for name in vars(Zk0Specs) if name.startswith("zk0_")]
    hooks = {
        getattr(function, f"{PROJECT}_impl")["specname"] or name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and hasattr(function, f"{PROJECT}_impl")
    }
    for name, function in hooks.items():
        if name not in specs:
            raise Fault(
                f"unknown hook '{name}'; choose from {', '.join(specs)}{did_you_mean(name, specs)}"
            )
        if arguments := list(inspect.signature(function).parameters):
            raise Fault(
                f"hook '{name}' takes no arguments, this one asks for {', '.join(arguments)}; "
                f"write def {name}():"
            )
    if not hooks:
        raise Fault(
            f"module {module.__name__} has no hook; mark one with @hookimpl, such as {specs[0]}"
        )
    return hooks


def records_of(function: Any, kind: str, hook: str, wanted: type[Any]) -> Iterator[PluginRecord]:
    """Yield the records of one hook function, up to the first that is not as it must be.

    Args:
        function: The hook function.
        kind: The kind in the words of errors, such as "strategy".
        hook: Name of the hook.
        wanted: Class of the kind's records.

    Raises:
        Fault: if it is no iterable, a record is wrong, or two have one name.
    """
    given = function()
    if not isinstance(given, Iterable):
        raise Fault(
            f"{hook} returned {type(given).__name__}, no records; "
            f"write yield {wanted.__name__}(...) there"
        )
    names = set()
    for record in given:
        _check_record(record, kind, hook, wanted)
        if record.name in names:
            raise Fault(f"{hook} yielded '{record.name}' twice; give each {kind} a name of its own")
        names.add(record.name)
        yield record


def _check_record(record: Any, kind: str, hook: str, wanted: type[Any]) -> None:
    """Raise Fault unless `record` is what `hook` is to yield, with proper fields."""
    if not isinstance(record, wanted):
        raise Fault(f"{hook} yielded {record!r}, not a {wanted.__name__}; yield that record")
    name = record.name
    parts = name.split("-") if isinstance(name, str) else [""]
    if not all(part.isascii() and part.isalnum() and part == part.lower() for part in parts):
        raise Fault(
            f"the name {name!r} of a {kind} is not lower-case letters, digits and hyphens"
            f"{_better_name(str(name))}"
        )
    if not isinstance(record.summary, str) or "\n" in record.summary:
        raise Fault(
            f"summary of {kind} '{name}' is {record.summary!r}; write one sentence, on one line"
        )
    if not isinstance(record.options, type) or not attrs.has(record.options):
        shown = getattr(record.options, "__name__", repr(record.options))
        raise Fault(
            f"options of {kind} '{name}' are {shown}, which is no attrs class; "
            "decorate it with @attrs.frozen(kw_only=True)"
        )
    try:
        describe(record.options)
    except (TypeError, NameError) as error:
        raise Fault(
            f"options of {kind} '{name}': {error}; use int, float, str, bool, "
            "tuple[str, ...], Mapping[str, str], or any of these or None"
        ) from error
    if getattr(record, "uses_mu", False) and "mu" not in attrs.fields_dict(record.options):
        raise Fault(f"{kind} '{name}' says uses_mu, and its options have no mu; add that option")
    for field in ("build", "build_objective", "build_broadcast"):
        function = getattr(record, field, None)
        if function is not None and not callable(function):
            raise Fault(f"{field} of {kind} '{name}' is {function!r}; give a function of options")
    if record.build is None:
        raise Fault(f"build of {kind} '{name}' is None; give a function of options")
    client_api = getattr(record, "client_api", 1)
    if type(client_api) is not int:
        raise Fault(f"client_api of {kind} '{name}' is {client_api!r}; give a whole number")


def _better_name(name: str) -> str:
    better = "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
    return f"; call it '{better}'" if better.isascii() and better else ""
