"""What commands print: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
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
