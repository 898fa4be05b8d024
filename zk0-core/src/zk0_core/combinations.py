"""Which values and plugins of a run go together, and how many clients a round needs for them."""

from collections.abc import Sequence
from typing import cast

import attrs

from zk0_core.errors import UsageError
from zk0_core.options import structure_options
from zk0_core.plan import PluginChoice
from zk0_core.records import StrategyOptions, StrategyPlugin
from zk0_core.registry import Registry
from zk0_core.run_values import INSTEAD_OF, RunValues
from zk0_core.server.sampling import count_of_round
from zk0_core.settings import Choice, Settings


def check_exclusive(settings: Settings) -> None:
    """Raise UsageError if two values are given of which only one may be."""
    for name, other in INSTEAD_OF.items():
        if settings.values.get(name) is not None and settings.values.get(other) is not None:
            origins = dict.fromkeys(settings.origins.get(value, "") for value in (name, other))
            raise UsageError(
                f"{name} and {other} exclude each other; keep one (from {' and '.join(origins)})"
            )


def check_mu(
    registry: Registry, strategy: PluginChoice, mu_schedulers: Sequence[PluginChoice]
) -> None:
    """Raise UsageError if mu is scheduled for a strategy that has none."""
    if not mu_schedulers or cast(StrategyPlugin, registry.get("strategy", strategy.name)).uses_mu:
        return
    able = [
        name
        for name in registry.names("strategy")
        if cast(StrategyPlugin, registry.get("strategy", name)).uses_mu
    ]
    raise UsageError(
        f"mu-scheduler '{mu_schedulers[0].name}' cannot be used with strategy '{strategy.name}', "
        f"which has no mu; leave it out, or choose a strategy that has one: {', '.join(able)}"
    )


def check_lr(values: RunValues, lr: float) -> None:
    """Raise UsageError if `lr` is not between eta_min and lr_max."""
    if values.eta_min > lr:
        raise UsageError(f"eta_min must be ≤ lr, got {values.eta_min:g} with lr {lr:g}")
    if 0 < values.lr_max < lr:
        raise UsageError(f"lr_max must be 0 or ≥ lr, got {values.lr_max:g} with lr {lr:g}")


def check_accumulation(values: RunValues, batch_size: int) -> None:
    """Raise UsageError if a batch is to be taken in more parts than it has frames."""
    if (parts := values.gradient_accumulation) > batch_size:
        raise UsageError(
            f"gradient_accumulation must be ≤ batch_size, got {parts} with batch_size {batch_size}"
        )


def check_floors(asked: Sequence[Choice], schedulers: Sequence[PluginChoice], lr: float) -> None:
    """Raise UsageError if a scheduler's option eta_min, where it has one, is above `lr`."""
    for choice, scheduler in zip(asked, schedulers, strict=True):
        eta_min = scheduler.options.get("eta_min", 0.0)
        if eta_min > lr:
            path = f"scheduler.{scheduler.name}" if len(schedulers) > 1 else "scheduler"
            origin = choice.origins.get("eta_min", "")
            raise UsageError(
                f"{path}.eta_min must be ≤ lr, got {eta_min:g} with lr {lr:g}"
                + (f" (from {origin})" if origin else "")
            )


def quorum_of(registry: Registry, strategy: PluginChoice, values: RunValues, clients: int) -> int:
    """Return how many updates a round needs to count: min_updates, or more for the strategy.

    Raises:
        UsageError: if a round asks fewer clients than that.
    """
    asked = count_of_round(clients, values.fraction)
    asked_text = f"({clients} clients, fraction {values.fraction:g})"
    if values.min_updates > asked:
        raise UsageError(
            f"min_updates must be ≤ {asked}, the clients of a round {asked_text}, "
            f"got {values.min_updates}"
        )
    record = cast(StrategyPlugin, registry.get("strategy", strategy.name))
    options: object = structure_options(record.options, strategy.options, path="strategy")
    needed = record.needed_updates(options)
    if needed > asked:
        common = {field.name for field in attrs.fields(StrategyOptions)}
        own = {name: value for name, value in strategy.options.items() if name not in common}
        given = "".join(f", {k} = {value}" for k, value in own.items() if value is not None)
        raise UsageError(
            f"strategy '{strategy.name}'{given.replace(',', ' with', 1)} needs at least {needed} "
            f"clients in a round, this run asks {asked} {asked_text}; add clients, or choose "
            f"{'other options or ' if own else ''}another strategy"
        )
    return max(values.min_updates, needed)
