"""The page on schedulers tells every option, its default and its range, as they are."""

import re
from pathlib import Path

import pytest

from zk0_core.options import describe
from zk0_core.registry import Registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "schedulers.md"
PLUGINS = [p for p in Registry.discover().plugins if p.distribution == "zk0-schedulers"]


def title(kind: str, name: str) -> str:
    return "constant (mu)" if (kind, name) == ("mu-scheduler", "constant") else name


def section(heading: str) -> str:
    parts = re.split(r"^#+ ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return next(part for part in parts if part.startswith(heading + "\n"))


def test_every_scheduler_has_a_section() -> None:
    headings = re.findall(r"^### (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [title(plugin.kind, plugin.name) for plugin in PLUGINS]


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda p: f"{p.kind}-{p.name}")
def test_its_options_are_described(plugin) -> None:
    text = section(title(plugin.kind, plugin.name))
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.*) \|$", text, re.MULTILINE)
    options = describe(plugin.record.options)
    assert [(name, default) for name, default, _ in rows] == [(o.name, o.default) for o in options]
    for option, (_, _, meaning) in zip(options, rows, strict=True):
        assert f"; {option.range}" in meaning
