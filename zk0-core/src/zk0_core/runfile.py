"""Run files: TOML to settings, strictly; and resolved plans to and from text."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from zk0_core.errors import PluginError, UsageError
from zk0_core.options import did_you_mean, structure_options
from zk0_core.plan import RunPlan
from zk0_core.run_values import RunValues
from zk0_core.settings import Choice, ClientSetting, EvaluationSetting, Settings

_LISTS = ("schedulers", "mu_schedulers", "reporters")
_TABLES = ("policy", "strategy", "wire", "plugins")
_KEYS = (
    *(field.name for field in attrs.fields(RunValues)),
    *_TABLES,
    *_LISTS,
    "clients",
    "evaluations",
)


def read_run_file(path: Path) -> Settings:
    """Read a run file: TOML, or the table [tool.zk0] of a pyproject.toml.

    Raises:
        UsageError: if it is missing, no TOML, or holds what a run file doesn't know.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"run file {path} is not there; check the path") from None
    except IsADirectoryError:
        raise UsageError(f"run file {path} is a folder; name a TOML file in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"run file {path} cannot be read: {error}") from error
    table = _toml(text, str(path))
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("zk0")
        if not isinstance(table, dict):
            raise UsageError(f"{path} has no table [tool.zk0]; add one, or name a run file")
    return settings_from(table, str(path))


def settings_from_toml(text: str, origin: str) -> Settings:
    """Return the settings that the `text` of a run file holds; see `read_run_file`."""
    return settings_from(_toml(text, origin), origin)


def settings_from(table: Mapping[str, Any], origin: str) -> Settings:
    """Return the settings of a run file that is parsed already.

    Raises:
        UsageError: with the key that is unknown or of the wrong kind.
    """
    _check_keys(table, _KEYS, "", origin)
    values = {field.name for field in attrs.fields(RunValues)} & table.keys()
    wire = _table(table.get("wire", {}), "wire", origin)
    plugins = _table(table.get("plugins", {}), "plugins", origin)
    _check_keys(plugins, ("disabled",), "plugins.", origin)
    return Settings(
        origin=origin,
        values={name: table[name] for name in values},
        origins=dict.fromkeys(values, origin),
        policy=_choice(table["policy"], "policy", origin) if "policy" in table else None,
        strategy=_choice(table["strategy"], "strategy", origin) if "strategy" in table else None,
        codec=_choice(wire, "wire", origin, key="codec") if wire else None,
        **{
            key: tuple(_choice(entry, key, origin) for entry in _list(table[key], key, origin))
            for key in _LISTS
            if key in table
        },
        clients=_clients(table, origin),
        evaluations=_evaluations(table, origin),
        disabled=tuple(_texts(plugins.get("disabled", []), "plugins.disabled", origin)),
    )


def plan_to_json(plan: RunPlan) -> str:
    """Return the plan as indented JSON, which `plan_from_json` takes back without loss."""
    return json.dumps(attrs.asdict(plan), indent=2, allow_nan=False)


def plan_from_json(text: str) -> RunPlan:
    """Return the plan that `plan_to_json` wrote.

    Raises:
        UsageError: if it is none of this version's; the text says what is wrong with it.
    """
    from zk0_core.strict import structured

    try:
        plan = structured(_tuples(json.loads(text)), RunPlan)
        given = {field.name: getattr(plan, field.name) for field in attrs.fields(RunValues)}
        structure_options(RunValues, given, path="")
        return plan
    except (ValueError, RecursionError, PluginError) as problem:
        said = " ".join((str(problem) or type(problem).__name__).split())
        raise UsageError(
            f"the plan is not one of this version of zk0: {said[:500]}; restore plan.json, or use "
            "the version that wrote it"
        ) from None


def plan_to_toml(plan: RunPlan) -> str:
    """Return the plan as TOML, to be read by people; options that are None are left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(attrs.asdict(plan)))


def _toml(text: str, origin: str) -> dict[str, Any]:
    import tomli

    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise UsageError(f"run file {origin} is not TOML: {error}") from None


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], prefix: str, origin: str) -> None:
    for key in table:
        if key not in known:
            raise UsageError(
                f"{prefix}{key} is unknown{did_you_mean(key, known, prefix)}; the choices are "
                f"{', '.join(known)} (from {origin})"
            )


def _table(value: Any, path: str, origin: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path} must be a table [{path}], got {value!r} (from {origin})")
    return value


def _list(value: Any, path: str, origin: str) -> list[Any]:
    if not isinstance(value, list):
        raise UsageError(f"{path} must be a list of tables [[{path}]] (from {origin})")
    return value


def _text(table: Mapping[str, Any], key: str, path: str, origin: str, example: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        found = "is missing" if value is None else f"must be a text, got {value!r}"
        raise UsageError(f'{path}.{key} {found}; write {key} = "{example}" (from {origin})')
    return value


def _positive(table: Mapping[str, Any], key: str, path: str, origin: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise UsageError(f"{path}.{key} must be a number > 0, got {value!r} (from {origin})")
    return float(value)


def _texts(value: Any, path: str, origin: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise UsageError(f"{path} must be a list of texts, got {value!r} (from {origin})")
    return value


def _choice(value: Any, path: str, origin: str, key: str = "name") -> Choice:
    """Read a table that names a plugin under `key`; all else in it are the plugin's options."""
    table = _table(value, path, origin)
    name = _text(table, key, path, origin, "NAME")
    options = {option: value for option, value in table.items() if option != key}
    return Choice(name, options, origin, dict.fromkeys(options, origin))


def _clients(table: Mapping[str, Any], origin: str) -> tuple[ClientSetting, ...] | None:
    if "clients" not in table:
        return None
    clients = []
    for number, value in enumerate(_list(table["clients"], "clients", origin)):
        path = f"clients[{number}]"
        entry = _table(value, path, origin)
        _check_keys(entry, ("name", "dataset", "rename", "epsilon"), f"{path}.", origin)
        rename = _rename(entry.get("rename", {}), path, origin)
        name = _text(entry, "name", path, origin, "left-desk") if "name" in entry else ""
        dataset = _text(entry, "dataset", path, origin, "local:/data/left-desk")
        epsilon = _positive(entry, "epsilon", path, origin)
        clients.append(ClientSetting(dataset, name, rename, origin, epsilon))
    return tuple(clients)


def _rename(value: Any, path: str, origin: str) -> dict[str, str]:
    rename = _table(value, f"{path}.rename", origin)
    _texts(list(rename.values()), f"{path}.rename", origin)
    return rename


def _evaluations(table: Mapping[str, Any], origin: str) -> tuple[EvaluationSetting, ...] | None:
    if "evaluations" not in table:
        return None
    evaluations = []
    for number, value in enumerate(_list(table["evaluations"], "evaluations", origin)):
        path = f"evaluations[{number}]"
        entry = dict(_table(value, path, origin))
        dataset = _text(entry, "dataset", path, origin, "local:/data/test?eval_episodes=5")
        del entry["dataset"]
        rename = _rename(entry.pop("rename", {}), path, origin)
        choice = _choice(entry, path, origin, key="evaluator")
        evaluations.append(EvaluationSetting(dataset, choice, origin, rename))
    return tuple(evaluations)


def _tuples(value: Any) -> Any:
    """Return `value` with tuples for JSON's lists: plans hold no lists."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(entry) for k, entry in value.items() if entry is not None}
    return list(map(_without_none, value)) if isinstance(value, list | tuple) else value
