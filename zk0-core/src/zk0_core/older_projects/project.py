"""The run file that an older project's pyproject.toml makes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from zk0_core.errors import UsageError
from zk0_core.older_projects.keys import CONFIG, DATASETS
from zk0_core.older_projects.translation import Carried, Left, Translation
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.runfile import settings_from


@attrs.frozen
class ImportedProject:
    """What became of a project's settings."""

    text: str
    """The run file."""
    carried: tuple[Carried, ...]
    left: tuple[Left, ...]


def import_project(path: Path, registry: Registry) -> ImportedProject:
    """Return the run file for the older project whose pyproject.toml is at `path`.

    Raises:
        UsageError: if there is none, or a value is one that zk0 refuses; the text names the key.
    """
    tool = _read(path)
    config = _below(tool, "flwr.app.config")
    datasets = _below(tool, "zk0.datasets")
    if not config:
        raise UsageError(f"{path} has no table [{CONFIG}]; name the pyproject.toml of an older zk0")
    if not datasets.get("clients"):
        raise UsageError(
            f"{path} names no clients in [{DATASETS}]; add clients = [{{ name = ... }}]"
        )
    translation = Translation(dict(config), str(path), set(registry.names("reporter")))
    translation.values(len(datasets["clients"]))
    translation.schedules()
    translation.datasets(dict(datasets))
    translation.rest(tool)
    _check(translation, path, registry)
    return ImportedProject(
        _text(translation, path), tuple(translation.carried), tuple(translation.left)
    )


def _read(path: Path) -> dict[str, Any]:
    import tomli

    try:
        tool = tomli.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        raise UsageError(f"{path} is not there; check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    except tomli.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    assert isinstance(tool, dict)
    return tool


def _below(table: Mapping[str, Any], path: str) -> dict[str, Any]:
    for key in path.split("."):
        table = table.get(key, {})
    return dict(table)


def _check(translation: Translation, path: Path, registry: Registry) -> None:
    """Raise UsageError, with the older key, if the run file would be refused."""
    try:
        resolve_plan(settings_from(translation.run, str(path)), registry)
    except UsageError as error:
        text = str(error)
        names = {carried.place.rpartition(".")[2]: carried.key for carried in translation.carried}
        old = names.get(text.split()[0].rpartition(".")[2])
        raise UsageError(f"{text}; there it is {old}" if old else text) from error


def _text(translation: Translation, path: Path) -> str:
    """Return the run file, with what was not carried over said above."""
    import tomli_w

    lists = {key: value for key, value in translation.run.items() if isinstance(value, list)}
    lines = [f"# Made by zk0 import from {path}."]
    if translation.left:
        lines.append("# Not carried over:")
        lines += [f"#   {_line(left.key, left.value)}: {left.reason}" for left in translation.left]
    lines.append("\n# Clients of older projects started AdamW afresh in every round.")
    lines.append(tomli_w.dumps({k: v for k, v in translation.run.items() if k not in lists}))
    for key, entries in lists.items():
        for entry in entries:
            lines += _comment(translation.descriptions.get(entry.get("dataset", ""), ""))
            lines.append(f"[[{key}]]\n{tomli_w.dumps(entry)}")
    return "\n".join(lines)


def _comment(text: str) -> Iterator[str]:
    if text:
        yield f"# {' '.join(text.split())}"


def _line(key: str, value: Any) -> str:
    return key if isinstance(value, dict | list) else f"{key} = {value!r}"
