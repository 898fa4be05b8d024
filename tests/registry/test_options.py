from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from zk0_core import PluginError, between, ge, gt, le, one_of
from zk0_core.options import describe, options_to_dict, parse_flags, structure_options


@attrs.frozen(kw_only=True)
class Options:
    mu: float = attrs.field(default=0.01, validator=ge(0), metadata={"help": "Weight."})
    t_0: int = attrs.field(default=15, validator=ge(1))
    share: float = attrs.field(default=0.5, validator=between(0, 1))
    low: float = attrs.field(default=1.0, validator=gt(0))
    high: float = attrs.field(default=1.0, validator=le(2))
    mode: str = attrs.field(default="keep", validator=one_of("keep", "reset"))
    fast: bool = False
    names: tuple[str, ...] = ()
    rename: Mapping[str, str] = attrs.field(factory=dict)
    limit: int | None = attrs.field(default=None, validator=ge(1))
    theirs: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen(kw_only=True)
class Required:
    path: str = attrs.field(metadata={"help": "A folder."})


def refused(values: Mapping[str, Any], path: str = "strategy", **more: Any) -> str:
    with pytest.raises(PluginError) as error:
        structure_options(Options, values, path=path, **more)
    return str(error.value)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"mu": -1.0}, "strategy.mu must be ≥ 0, got -1.0"),
        ({"mu": "0.1"}, "strategy.mu must be a number ≥ 0, got '0.1'"),
        ({"mu": True}, "strategy.mu must be a number ≥ 0, got True"),
        ({"mu": float("nan")}, "strategy.mu must be a number ≥ 0, got nan"),
        ({"mu": float("inf")}, "strategy.mu must be a number ≥ 0, got inf"),
        ({"mu": 2**63}, "strategy.mu must be a number ≥ 0, got 9223372036854775808"),
        ({"mu": 10**400}, f"strategy.mu must be a number ≥ 0, got {10**400}"),
        (
            {"t_0": 1.2},
            "strategy.t_0 must be a whole number ≥ 1, got 1.2; did you mean 1 or 2?",
        ),
        ({"t_0": 2.0}, "strategy.t_0 must be a whole number ≥ 1, got 2.0; did you mean 2?"),
        ({"t_0": 0}, "strategy.t_0 must be ≥ 1, got 0"),
        ({"share": 1.5}, "strategy.share must be between 0 and 1, got 1.5"),
        ({"low": 0}, "strategy.low must be > 0, got 0.0"),
        ({"high": 2.5}, "strategy.high must be ≤ 2, got 2.5"),
        ({"mode": "drop"}, "strategy.mode must be one of keep, reset, got 'drop'"),
        ({"fast": "false"}, "strategy.fast must be true or false, got 'false'"),
        ({"fast": 1}, "strategy.fast must be true or false, got 1"),
        ({"names": "a"}, "strategy.names must be a list of texts, got 'a'"),
        ({"names": ["a", 1]}, "strategy.names must be a list of texts, got ['a', 1]"),
        ({"rename": {"a": 1}}, "strategy.rename must be a table of texts, got {'a': 1}"),
        ({"limit": 0}, "strategy.limit must be ≥ 1, got 0"),
        ({"limit": "x"}, "strategy.limit must be a whole number or none, got 'x'"),
        ({"theirs": 0}, "strategy.theirs must be >= 1: 0"),
    ],
)
def test_wrong_values_are_refused_with_their_path(values: Mapping[str, Any], text: str) -> None:
    assert refused(values) == text


def test_unknown_names_are_told_the_choices_and_the_nearest() -> None:
    assert refused({"modes": "keep"}) == (
        "strategy.modes is unknown; the choices are mu, t_0, share, low, high, mode, fast, names, "
        "rename, limit, theirs; did you mean 'strategy.mode'?"
    )


def test_the_source_of_a_value_is_named() -> None:
    text = refused({"mu": -1.0}, origins={"mu": "--strategy.mu"})
    assert text == "strategy.mu must be ≥ 0, got -1.0 (from --strategy.mu)"
    text = refused({"muu": 1.0}, origins={"muu": "run.toml"})
    assert text.endswith("; did you mean 'strategy.mu'? (from run.toml)")


def test_a_missing_required_option_is_named() -> None:
    with pytest.raises(PluginError, match=r"^policy\.path is required: A folder\.$"):
        structure_options(Required, {}, path="policy")


def test_proper_values_are_taken() -> None:
    values = {"mu": 1, "fast": True, "names": ["a", "b"], "rename": {"a": "b"}, "limit": None}
    options = structure_options(Options, values, path="strategy")
    assert options == Options(mu=1.0, fast=True, names=("a", "b"), rename={"a": "b"})
    assert isinstance(options.mu, float)
    assert structure_options(Options, options_to_dict(options), path="strategy") == options


def test_flags() -> None:
    texts = {
        "mu": "5e-2",
        "t_0": "10",
        "fast": "true",
        "names": "a, b",
        "rename": "a=b,c=d",
        "limit": "none",
        "mode": "reset",
        "unheard": "1",
    }
    assert parse_flags(Options, texts) == {
        "mu": 0.05,
        "t_0": 10,
        "fast": True,
        "names": ("a", "b"),
        "rename": {"a": "b", "c": "d"},
        "limit": None,
        "mode": "reset",
        "unheard": "1",
    }


@pytest.mark.parametrize("text", ["False", "no", "0"])
def test_flags_know_two_words_for_yes_and_no(text: str) -> None:
    values = parse_flags(Options, {"fast": text})
    assert refused(values) == f"strategy.fast must be true or false, got '{text}'"


def test_a_fraction_in_a_flag_is_no_whole_number() -> None:
    assert refused(parse_flags(Options, {"t_0": "1.9"})).startswith(
        "strategy.t_0 must be a whole number ≥ 1, got 1.9"
    )


def test_describe() -> None:
    described = {option.name: option for option in describe(Options)}
    assert (described["mu"].type, described["mu"].default) == ("number", "0.01")
    assert (described["mu"].range, described["mu"].help) == ("≥ 0", "Weight.")
    assert described["limit"].type == "whole number or none"
    assert described["limit"].default == "none"
    assert described["fast"].default == "false"
    assert described["names"].default == described["rename"].default == "empty"
    assert describe(Required)[0].default == "required"
