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
import typing
from collections.abc import Collection, Mapping
from typing import Any

import attrs

from zk0_core.errors import PluginError
from zk0_core.option_types import checked_value, parsed_text, type_name


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
            checked[name] = checked_value(hints[name], value, fields[name])
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
        name: parsed_text(hints[name], text) if name in hints else text
        for name, text in texts.items()
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


def _types(options_class: type) -> dict[str, Any]:
    return typing.get_type_hints(options_class)


def _unknown(what: str, name: str, choices: Collection[str], prefix: str) -> str:
    known = f"the choices are {', '.join(choices)}" if choices else "there are no options"
    return f"{what} is unknown; {known}{did_you_mean(name, choices, prefix)}"


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
