"""The types that an option may have: what each is called, takes, and is in a flag's text."""

import math
import types
import typing
from collections.abc import Mapping
from typing import Any

import attrs


def type_name(hint: Any) -> str:
    """Return how errors and help call a type."""
    inner, optional = _without_none(hint)
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    if inner in names:
        name = names[inner]
    elif typing.get_origin(inner) is tuple:
        name = "list of texts"
    elif _is_mapping(inner):
        name = "table of texts"
    else:
        raise TypeError(f"options cannot have the type {inner!r}")
    return f"{name} or none" if optional else name


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return the type without None, and whether None was among it."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        if len(inner) == 1:
            return inner[0], True
    return hint, False


def _is_mapping(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def checked_value(hint: Any, value: Any, field: "attrs.Attribute[Any]") -> Any:
    """Return `value` if it is of the type; raise ValueError with what it must be."""
    inner, optional = _without_none(hint)
    if value is None and optional:
        return None
    # TOML, and whatever else whole numbers go through, has 64 bits for one.
    too_long = type(value) is int and abs(value) >= 2**63
    if inner is float and type(value) in (int, float) and not too_long and math.isfinite(value):
        return float(value)
    if inner in (int, str, bool) and type(value) is inner and not too_long:
        return value
    is_list = typing.get_origin(inner) is tuple and isinstance(value, list | tuple)
    if is_list and all(type(entry) is str for entry in value):
        return tuple(value)
    is_table = _is_mapping(inner) and isinstance(value, Mapping)
    if is_table and all(type(entry) is str for pair in value.items() for entry in pair):
        return dict(value)
    wanted = type_name(hint)
    article = "" if wanted.startswith("true") else "a "
    asked = getattr(field.validator, "text", "")
    range_text = f" {asked}" if asked and wanted.endswith("number") else ""
    raise ValueError(f"must be {article}{wanted}{range_text}, got {value!r}{_meant(inner, value)}")


def _meant(inner: Any, value: Any) -> str:
    """Return a guess at the whole number that a fraction was meant to be."""
    if inner is not int or not isinstance(value, float) or not math.isfinite(value):
        return ""
    near = sorted({math.floor(value), math.ceil(value)})
    return f"; did you mean {' or '.join(map(str, near))}?"


def parsed_text(hint: Any, text: str) -> Any:
    """Return the value that a flag's `text` stands for; `text` itself where it stands for none."""
    inner, optional = _without_none(hint)
    if optional and text == "none":
        return None
    if inner is bool:
        return {"true": True, "false": False}.get(text, text)
    if inner in (int, float):
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
        return text
    if typing.get_origin(inner) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if _is_mapping(inner):
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        return {key.strip(): value.strip() for key, _, value in pairs}
    return text
