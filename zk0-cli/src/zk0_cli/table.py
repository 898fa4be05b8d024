"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click


def echo_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` in columns under `heads`; the last column runs on as far as it must."""
    lines = [tuple(head.upper() for head in heads), *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def echo_json(value: Any) -> None:
    """Print `value` as indented JSON."""
    click.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def echo_figures(figures: Mapping[str, Any]) -> None:
    """Print named figures, those that have parts part by part."""
    echo_table(("figure", "value"), list(_rows(figures)))


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from ((f"{name} {part}", _cell(number)) for part, number in value.items())
        else:
            yield name, _cell(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(number)}" for name, number in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return str(value)
