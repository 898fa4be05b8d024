"""The run files that come with zk0, by name."""

from pathlib import Path

from zk0_core.errors import UsageError
from zk0_core.options import did_you_mean
from zk0_core.runfile import settings_from_toml
from zk0_core.settings import Settings

DEFAULT_PRESET = "four-regions"
"""What `zk0 run` does when it is told nothing."""

_FOLDER = Path(__file__).parent / "presets"


def preset_names() -> list[str]:
    """Return the names of the presets, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def preset_text(name: str) -> str:
    """Return the run file of a preset.

    Raises:
        UsageError: if there is none of that name; the text says which there are.
    """
    names = preset_names()
    if name not in names:
        raise UsageError(
            f"unknown preset '{name}'; choose from {', '.join(names)}{did_you_mean(name, names)}"
        )
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def preset_settings(name: str = DEFAULT_PRESET) -> Settings:
    """Return the settings of a preset; see `preset_text`."""
    return settings_from_toml(preset_text(name), f"preset {name}")
