"""Options of plugins: attrs classes to and from TOML values and flag strings, strictly.

An options class is a frozen attrs class whose fields are of the types below, with a validator
where there is a range and a sentence of help in the metadata:

    @attrs.frozen(kw_only=True)
    class FedProxOptions:
        mu: float = attrs.field(
            default=0.01, validator=ge(0.0), metadata={"help": "Proximal weight; 0 is FedAvg."}
        )

Types: int, float (takes whole numbers too), str, bool, tuple[str, ...], Mapping[str, str], and
any of these or None. Nothing is converted in silence: "false" is no bool and 1.9 is no int.
"""

import difflib
import math
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs

from zk0_core.errors import PluginError


@attrs.frozen
class Check:
    """A validator that can say what it asks for, for errors and help."""

    test: Callable[[Any], bool]
    text: str
    """What follows "must be", such as "≥ 0"."""

    def __call__(self, instance: object, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        """Raise ValueError unless `value` is None or passes the test."""
        if value is not None and not self.test(value):
            raise ValueError(f"{attribute.name} must be {self.text}, got {value!r}")


def ge(bound: float) -> Check:
    """Return the validator of values ≥ `bound`."""
    return Check(lambda value: value >= bound, f"≥ {bound:g}")


def gt(bound: float) -> Check:
    """Return the validator of values > `bound`."""
    return Check(lambda value: value > bound, f"> {bound:g}")


def le(bound: float) -> Check:
    """Return the validator of values ≤ `bound`."""
    return Check(lambda value: value <= bound, f"≤ {bound:g}")


def between(low: float, high: float) -> Check:
    """Return the validator of values in [`low`, `high`]."""
    return Check(lambda value: low <= value <= high, f"between {low:g} and {high:g}")


def between_open(low: float, high: float) -> Check:
    """Return the validator of values in (`low`, `high`)."""
    return Check(lambda value: low < value < high, f"above {low:g} and below {high:g}")


def above_up_to(low: float, high: float) -> Check:
    """Return the validator of values in (`low`, `high`]."""
    return Check(lambda value: low < value <= high, f"above {low:g} and at most {high:g}")


def one_of(*choices: str) -> Check:
    """Return the validator of values among `choices`."""
    return Check(lambda value: value in choices, f"one of {', '.join(choices)}")


def structure_options[T](
    options_class: type[T],
    values: Mapping[str, Any],
    *,
    path: str,
    origins: Mapping[str, str] | None = None,
) -> T:
    """Return `options_class` made from `values`, all of them checked.

    Args:
        options_class: An attrs class as described above.
        values: Field name to value, as TOML gives it.
        path: What stands before the field's name in errors, such as "strategy"; may be empty.
        origins: Field name to who supplied the value, such as "--strategy.mu".

    Raises:
        PluginError: one line that starts with the path of the wrong or missing field.
    """
    prefix = f"{path}." if path else ""
    hints = _types(options_class)
    of_class: Any = options_class  # an attrs class, which the registry has checked
    fields = {field.name: field for field in attrs.fields(of_class)}

    def suffix(name: str) -> str:
        return f" (from {origins[name]})" if origins and name in origins else ""

    checked = {}
    for name, value in values.items():
        if name not in fields:
            raise PluginError(_unknown(f"{prefix}{name}", name, fields, prefix) + suffix(name))
        try:
            checked[name] = _checked(hints[name], value, fields[name])
        except ValueError as error:
            raise PluginError(f"{prefix}{name} {error}{suffix(name)}") from None
    for name, field in fields.items():
        if field.default is attrs.NOTHING and name not in checked:
            raise PluginError(f"{prefix}{name} is required: {field.metadata.get('help', '')}")
    try:
        return options_class(**checked)
    except (ValueError, TypeError) as error:
        # Validators name the field first, attrs' own ones in quotes.
        text = str(error.args[0]) if error.args else type(error).__name__
        name = text.replace("'", " ").split()[0]
        if name not in fields:
            raise PluginError(f"{path or 'options'}: {text}") from error
        raise PluginError(f"{prefix}{text.replace(f"'{name}'", name, 1)}{suffix(name)}") from None


def parse_flags(options_class: type, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return values from the `texts` of flags, for `structure_options` to check.

    A text that does not fit its field's type, and one whose field does not exist, stays a text,
    so that the error quotes what was written.
    """
    hints = _types(options_class)
    return {
        name: _parsed(hints[name], text) if name in hints else text for name, text in texts.items()
    }


def options_to_dict(options: Any) -> dict[str, Any]:
    """Return an options object as plain values, which `structure_options` takes back."""
    return attrs.asdict(options, recurse=False)


@attrs.frozen
class OptionHelp:
    """One option, as help shows it."""

    name: str
    type: str
    default: str
    """The default as TOML would write it; "required" where there is none."""
    range: str
    """What its validator asks for, such as "≥ 0"; empty without one that can say so."""
    help: str


def describe(options_class: type) -> list[OptionHelp]:
    """Return what help shows of `options_class`, in order of its fields."""
    hints = _types(options_class)
    return [
        OptionHelp(
            name=field.name,
            type=type_name(hints[field.name]),
            default=_default_text(field.default),
            range=getattr(field.validator, "text", ""),
            help=str(field.metadata.get("help", "")),
        )
        for field in attrs.fields(options_class)
    ]


def did_you_mean(name: str, choices: Collection[str], prefix: str = "") -> str:
    """Return "; did you mean 'x'?" for the choice nearest to `name`; nothing when none is near."""
    near = difflib.get_close_matches(name, list(choices), n=1)
    return f"; did you mean '{prefix}{near[0]}'?" if near else ""


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


def _types(options_class: type) -> dict[str, Any]:
    return typing.get_type_hints(options_class)


def _unknown(what: str, name: str, choices: Collection[str], prefix: str) -> str:
    known = f"the choices are {', '.join(choices)}" if choices else "there are no options"
    return f"{what} is unknown; {known}{did_you_mean(name, choices, prefix)}"


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


def _checked(hint: Any, value: Any, field: "attrs.Attribute[Any]") -> Any:
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


def _parsed(hint: Any, text: str) -> Any:
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


def _default_text(default: Any) -> str:
    if default is attrs.NOTHING:
        return "required"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # attrs types it as a function
        default = default.factory()
    if isinstance(default, bool):
        return str(default).lower()
    if default is None:
        return "none"
    if isinstance(default, tuple):
        return ",".join(default) or "empty"
    return str(default) if default not in ("", {}) else "empty"
