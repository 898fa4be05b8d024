"""Puts the plugin template into the wheel, where `zk0 plugins new` finds it.

It has one source, the folder `plugins-template` of the repository; the source distribution
carries a copy, since a wheel may be built from there.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SKIPPED = {".venv", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", "dist"}


class TemplateHook(BuildHookInterface[Any]):
    """Adds the files of the template; an editable install uses the repository's own."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files, each with its place in what is built."""
        if version == "editable":
            return
        root = Path(self.root)
        places = [root.parent / "plugins-template", root / "plugins-template"]
        template = next((place for place in places if place.is_dir()), None)
        if template is None:
            raise FileNotFoundError(f"no plugins-template in {places[0].parent} or {root}")
        inside = "zk0_cli/template" if self.target_name == "wheel" else "plugins-template"
        for path in sorted(template.rglob("*")):
            relative = path.relative_to(template)
            if path.is_file() and not SKIPPED & set(relative.parts):
                build_data["force_include"][str(path)] = f"{inside}/{relative.as_posix()}"
