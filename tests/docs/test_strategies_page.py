"""The page of strategies is complete, and its defaults are true."""

import attrs
import pytest
from pages import REPOSITORY, first_cells

from zk0_core.records import StrategyOptions
from zk0_core.registry import Registry

PAGE = REPOSITORY / "docs" / "strategies.md"
OURS = {
    plugin.name: plugin.record
    for plugin in Registry.discover().plugins
    if plugin.kind == "strategy" and plugin.distribution == "zk0-strategies"
}


def test_every_strategy_has_a_row() -> None:
    assert sorted(first_cells(PAGE, "All of them")) == sorted(OURS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_its_options_and_their_defaults_are_those_of_the_strategy(name: str) -> None:
    record = OURS[name]
    assert record is not None
    options = {field.name: field.default for field in attrs.fields(record.options)}
    for field in attrs.fields(StrategyOptions):  # they have a section of their own
        del options[field.name]
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{name}` |"))
    shown = row.split("|")[3].strip()
    said = {key: "none" if value is None else str(value) for key, value in options.items()}
    assert shown == ", ".join(f"`{key}` {value}" for key, value in said.items())
