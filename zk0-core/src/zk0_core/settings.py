"""What was asked for, before it is resolved: one layer of settings, and layers on each other.

A preset, a run file and the flags of a command are one layer each. What a layer doesn't say is
None, and the layer below decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from zk0_core.run_values import INSTEAD_OF


@attrs.frozen
class Choice:
    """A plugin that is asked for by name, and options as written."""

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict)
    origin: str = ""
    """Who supplied the name: a file, a flag, a preset."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Option to who supplied it."""


@attrs.frozen
class ClientSetting:
    """A client that is asked for; without a name, one is made from the dataset's URI."""

    dataset: str
    name: str = ""
    rename: Mapping[str, str] = attrs.field(factory=dict)
    origin: str = ""
    epsilon: float | None = None


@attrs.frozen
class EvaluationSetting:
    """An evaluation dataset and its evaluator."""

    dataset: str
    evaluator: Choice
    origin: str = ""
    rename: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Settings:
    """One layer of settings."""

    origin: str
    """Who supplied them, for errors: a file's path, "preset four-regions", "flags"."""
    values: Mapping[str, Any] = attrs.field(factory=dict)
    """Fields of RunValues that are given."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Field of `values` to who supplied it."""
    policy: Choice | None = None
    strategy: Choice | None = None
    codec: Choice | None = None
    schedulers: tuple[Choice, ...] | None = None
    mu_schedulers: tuple[Choice, ...] | None = None
    reporters: tuple[Choice, ...] | None = None
    clients: tuple[ClientSetting, ...] | None = None
    evaluations: tuple[EvaluationSetting, ...] | None = None
    disabled: tuple[str, ...] = ()
    """Plugins that are not to be loaded."""


def merged(below: Settings, above: Settings) -> Settings:
    """Return `below`, overruled by what `above` says.

    Lists are replaced whole. A plugin that both layers choose keeps the options that the lower one
    gave it. A new strategy takes none of the mu schedulers that were chosen for another one. Of two
    values that exclude each other the upper layer's stays.
    """
    overruled = {INSTEAD_OF[name] for name in above.values if name in INSTEAD_OF} - {*above.values}
    lower = {name: value for name, value in below.values.items() if name not in overruled}
    mu_schedulers = _chosen_list(below.mu_schedulers, above.mu_schedulers)
    if above.mu_schedulers is None and _other(below.strategy, above.strategy):
        mu_schedulers = None
    return Settings(
        origin=above.origin,
        values={**lower, **above.values},
        origins={**below.origins, **above.origins},
        policy=_chosen(below.policy, above.policy),
        strategy=_chosen(below.strategy, above.strategy),
        codec=_chosen(below.codec, above.codec),
        schedulers=_chosen_list(below.schedulers, above.schedulers),
        mu_schedulers=mu_schedulers,
        reporters=_chosen_list(below.reporters, above.reporters),
        clients=_given(above.clients, below.clients),
        evaluations=_given(above.evaluations, below.evaluations),
        disabled=(*below.disabled, *above.disabled),
    )


def with_options_of(choice: Choice, others: Sequence[Choice]) -> Choice:
    """Return `choice`, on the options that the first of `others` with its name has."""
    for other in others:
        if other.name == choice.name:
            return attrs.evolve(
                choice,
                options={**other.options, **choice.options},
                origins={**other.origins, **choice.origins},
            )
    return choice


def _given[T](above: T | None, below: T | None) -> T | None:
    return below if above is None else above


def _other(below: Choice | None, above: Choice | None) -> bool:
    return above is not None and (below is None or below.name != above.name)


def _chosen(below: Choice | None, above: Choice | None) -> Choice | None:
    if above is None or below is None:
        return _given(above, below)
    return with_options_of(above, [below])


def _chosen_list(
    below: tuple[Choice, ...] | None, above: tuple[Choice, ...] | None
) -> tuple[Choice, ...] | None:
    if above is None or below is None:
        return _given(above, below)
    return tuple(with_options_of(choice, below) for choice in above)
