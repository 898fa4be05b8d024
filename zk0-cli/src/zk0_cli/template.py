"""A new plugin's folder, made from the template: the kinds that were asked for, names replaced.

The template is a working plugin of every kind: the folder `plugins-template` of the repository,
which the wheel of this package carries as `template`.
"""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from zk0_core.plugins import KINDS

NAME = "plugin-template"
"""What the template calls itself, and each of its plugins."""

_SKIPPED = {".venv", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", "dist"}
_IMPORT_WIDTH = 88
"""Columns up to which an import stays on one line."""


def template_folder() -> Path:
    """Return the folder of the template: in the wheel, or in the repository this runs from."""
    packaged = Path(__file__).parent / "template"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "plugins-template"


def distribution_of(name: str) -> str:
    """Return what the package of the plugin `name` is called."""
    return f"zk0-{name}"


def write_plugin(name: str, kinds: Collection[str], folder: Path) -> None:
    """Write a plugin package.

    Args:
        name: What it is called, and each of its plugins.
        kinds: Keys of `plugins.KINDS`: what it brings.
        folder: Where to; it is made.
    """
    template = template_folder()
    left_out = {kind.replace("-", "_") for kind in KINDS if kind not in kinds}
    for path in _files(template):
        stem = path.stem.removeprefix("test_")
        if path.suffix == ".py" and stem in left_out:
            continue
        text = path.read_text(encoding="utf-8")
        if stem in ("plugin", "contracts") and path.parent.name != "tests":
            text = _only(text, kinds)
        if path.name == "pyproject.toml":
            text = _without_workspace(text)
        target = folder / _renamed(str(path.relative_to(template)), name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_renamed(text, name), encoding="utf-8")


def _files(template: Path) -> Iterator[Path]:
    for path in sorted(template.rglob("*")):
        if path.is_file() and not _SKIPPED & set(path.relative_to(template).parts):
            yield path


def _renamed(text: str, name: str) -> str:
    return text.replace(NAME, name).replace(NAME.replace("-", "_"), name.replace("-", "_"))


def _only(source: str, kinds: Collection[str]) -> str:
    """Return a module of the template without what belongs to other kinds.

    Those are the hook functions in plugin.py, and the classes in contracts.py.
    """
    kept = {KINDS[kind].hook for kind in kinds} | {_class_name(kind) for kind in kinds}
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name not in kept:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            del lines[first - 1 : node.end_lineno]
    return _with_used_names(re.sub(r"\n{4,}", "\n\n\n", "".join(lines)).rstrip() + "\n")


def _class_name(kind: str) -> str:
    return "Test" + "".join(part.capitalize() for part in kind.split("-"))


def _with_used_names(source: str) -> str:
    """Return a module whose imports in parentheses have only the names that it uses."""
    words = re.findall(r"\w+", source)

    def shortened(found: re.Match[str]) -> str:
        names = [name.strip() for name in found[2].split(",") if name.strip()]
        # The import itself is the one use that every name has.
        used = [name for name in names if words.count(name) > 1]
        line = f"from {found[1]} import {', '.join(used)}"
        if len(line) <= _IMPORT_WIDTH:
            return line
        return f"from {found[1]} import (\n" + "".join(f"    {name},\n" for name in used) + ")"

    return re.sub(r"^from (\S+) import \(([^)]*)\)$", shortened, source, flags=re.MULTILINE)


def _without_workspace(text: str) -> str:
    """Return pyproject.toml without the table that ties the template to this repository."""
    return re.sub(r"\n\[tool\.uv\.sources\]\n(?:(?!\[).*\n?)*", "", text)
