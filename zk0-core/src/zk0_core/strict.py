"""Records from what JSON gives, nothing converted in silence: text is no number, 1.9 no int."""

import functools
import math
from typing import Any


def structured[Record](value: Any, kind: type[Record]) -> Record:
    """Return `value`, made of dictionaries and lists, as an attrs class `kind`.

    Raises:
        ValueError: with each field that is missing, unknown, of another type, or no number that
            arithmetic is safe with: a NaN, an infinity, a whole number of more than 63 bits.
    """
    import cattrs

    try:
        record: Record = _converter().structure(value, kind)
        return record
    except cattrs.BaseValidationError as problem:
        told = cattrs.transform_error(problem, format_exception=_told)
        raise ValueError("; ".join(told)) from None
    except (TypeError, AttributeError, KeyError) as problem:
        raise ValueError(f"no {kind.__name__}: {problem}") from None


def unstructured(record: Any) -> Any:
    """Return `record` as dictionaries and lists, which `structured` takes back."""
    return _converter().unstructure(record)


@functools.cache
def _converter() -> Any:
    import cattrs

    converter = cattrs.Converter(forbid_extra_keys=True)
    for plain in (int, float, str, bool):
        converter.register_structure_hook(plain, _exact)
    return converter


def _told(problem: BaseException, kind: type | None) -> str:
    """Return what is wrong with a value; validators and `_exact` say it themselves."""
    import cattrs.v

    if isinstance(problem, ValueError) and str(problem):
        return str(problem)
    return cattrs.v.format_exception(problem, kind)


def _exact(value: Any, kind: Any) -> Any:
    if kind is float and type(value) is int:
        value = float(value) if abs(value) <= 2**53 else math.inf
    if type(value) is not kind:
        raise ValueError(f"not of type {kind.__name__}: {str(value)[:40]!r}")
    if kind is float and not math.isfinite(value):
        raise ValueError("not finite")
    if kind is int and abs(value) >= 2**63:
        raise ValueError("a whole number of more than 63 bits")
    if kind is str and not _is_text(value):
        raise ValueError("half of a character, which no file takes")
    return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
