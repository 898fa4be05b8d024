"""From settings to a plan: plugins are found, options checked, defaults filled in.

The one place where defaults meet: those of zk0 (`run_values.RunValues`), of the policy family
(lr, batch size) and of each plugin's options.
"""

from collections.abc import Sequence
from typing import cast

import attrs

from zk0_core.addresses import Address, check_disjoint, split_joined
from zk0_core.client_names import client_names
from zk0_core.errors import PluginError, UsageError
from zk0_core.options import did_you_mean, options_to_dict, structure_options
from zk0_core.plan import ClientPlan, EvaluationPlan, PluginChoice, RunPlan
from zk0_core.records import EvaluatorPlugin, PolicyPlugin, StrategyOptions, StrategyPlugin
from zk0_core.registry import Registry
from zk0_core.run_values import INSTEAD_OF, RunValues
from zk0_core.server.sampling import count_of_round
from zk0_core.settings import Choice, Settings, merged

DEFAULTS = Settings(
    origin="defaults",
    strategy=Choice("fedprox", origin="default"),
    codec=Choice("float32", origin="default"),
    reporters=tuple(Choice(name, origin="default") for name in ("console", "charts", "report")),
)
"""The layer below all others. Without a scheduler, lr and mu keep their base values."""


def resolve_plan(settings: Settings, registry: Registry) -> RunPlan:
    """Return the plan that `settings` ask for, with every value effective.

    Raises:
        UsageError: if it cannot be carried out as asked; one line that says what to change.
    """
    settings = merged(DEFAULTS, settings)
    assert settings.strategy and settings.codec  # by the defaults
    check_disabled(settings.disabled, registry)
    _check_exclusive(settings)
    values = structure_options(RunValues, settings.values, path="", origins=settings.origins)
    if settings.policy is None:
        raise UsageError(
            f'no policy: add [policy] name = "NAME" to {settings.origin}, or --policy NAME; '
            f"choose from {', '.join(registry.names('policy'))}"
        )
    policy = choose(registry, "policy", settings.policy)
    strategy = choose(registry, "strategy", settings.strategy)
    mu_schedulers = choose_all(registry, "mu-scheduler", settings.mu_schedulers or ())
    _check_mu(registry, strategy, mu_schedulers)
    schedulers = choose_all(registry, "scheduler", settings.schedulers or ())
    codec = choose(registry, "codec", settings.codec)
    clients = _clients(settings)
    quorum = _quorum(registry, strategy, values, len(clients))
    evaluations = _evaluations(settings, registry, clients)
    loaders = _loaders(registry, clients, evaluations)
    reporters = choose_all(registry, "reporter", settings.reporters or ())
    # Last, since a policy family may import much.
    lr, batch_size = _local_defaults(registry, policy, values)
    _check_lr(values, lr)
    _check_floors(settings.schedulers or (), schedulers, lr)
    return RunPlan(
        rounds=values.rounds,
        local_steps=values.local_steps,
        local_epochs=values.local_epochs,
        batch_size=batch_size,
        lr=lr,
        seed=values.seed,
        policy=policy,
        strategy=strategy,
        schedulers=schedulers,
        mu_schedulers=mu_schedulers,
        clients=clients,
        evaluations=evaluations,
        reporters=reporters,
        codec=codec,
        loaders=loaders,
        optimizer_state=values.optimizer_state,
        normalization=values.normalization,
        fraction=values.fraction,
        min_updates=quorum,
        quarantine_after=values.quarantine_after,
        max_update_mb=values.max_update_mb,
        eval_every=values.eval_every,
        checkpoint_every=values.checkpoint_every,
        eta_min=values.eta_min,
        lr_max=values.lr_max,
        engine=values.engine,
        workers=values.workers,
        threads=values.threads,
        device=values.device,
        amp=values.amp,
        name_datasets=values.name_datasets,
        cache_gb=values.cache_gb,
        uplink_mbps=values.uplink_mbps,
    )


def _check_exclusive(settings: Settings) -> None:
    for name, other in INSTEAD_OF.items():
        if settings.values.get(name) is not None and settings.values.get(other) is not None:
            origins = dict.fromkeys(settings.origins.get(value, "") for value in (name, other))
            raise UsageError(
                f"{name} and {other} exclude each other; keep one (from {' and '.join(origins)})"
            )


def choose(registry: Registry, kind: str, choice: Choice, path: str = "") -> PluginChoice:
    """Return the plugin that `choice` names, with all of its options.

    Args:
        registry: Where it is looked up.
        kind: Key of `plugins.KINDS`.
        choice: What was asked for.
        path: What option errors call it; by default the kind.

    Raises:
        PluginError: if it is not usable, or an option is wrong.
    """
    try:
        plugin = registry.find(kind, choice.name)
    except PluginError as error:
        source = f" (from {choice.origin})" if choice.origin else ""
        raise PluginError(f"{error}{source}") from error.__cause__
    assert plugin.record is not None
    options: object = structure_options(
        plugin.record.options, choice.options, path=path or kind, origins=choice.origins
    )
    return PluginChoice(
        kind=kind,
        name=plugin.name,
        options=options_to_dict(options),
        distribution=plugin.distribution,
        version=plugin.version,
        client_api=getattr(plugin.record, "client_api", 1),
    )


def choose_all(
    registry: Registry, kind: str, choices: Sequence[Choice]
) -> tuple[PluginChoice, ...]:
    """Return the plugins that `choices` name; option errors name the plugin if there are several.

    Raises:
        PluginError: see `choose`; also if one is named twice.
    """
    names = [choice.name for choice in choices]
    for choice in choices:
        if names.count(choice.name) > 1:
            raise PluginError(
                f"{kind} '{choice.name}' is chosen twice; keep one (from {choice.origin})"
            )
    return tuple(
        choose(registry, kind, choice, f"{kind}.{choice.name}" if len(choices) > 1 else kind)
        for choice in choices
    )


def check_disabled(disabled: Sequence[str], registry: Registry) -> None:
    """Raise UsageError if `disabled` names what isn't there: probably a slip of the pen."""
    known = {name for p in registry.plugins for name in (p.entry_point, p.distribution)}
    for name in disabled:
        if name not in known:
            raise UsageError(
                f"plugins.disabled names '{name}', which is not installed; choose from "
                f"{', '.join(sorted(known))}{did_you_mean(name, known)}"
            )


def _local_defaults(
    registry: Registry, policy: PluginChoice, values: RunValues
) -> tuple[float, int]:
    """Return lr and batch size; the policy family's where they aren't given."""
    if values.lr is not None and values.batch_size is not None:
        return values.lr, values.batch_size
    plugin = registry.find("policy", policy.name)
    options_class = cast(PolicyPlugin, plugin.record).options
    family = plugin.build(structure_options(options_class, policy.options, path="policy"))
    lr = family.default_lr if values.lr is None else values.lr
    return lr, family.default_batch_size if values.batch_size is None else values.batch_size


def _check_mu(
    registry: Registry, strategy: PluginChoice, mu_schedulers: Sequence[PluginChoice]
) -> None:
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


def _check_lr(values: RunValues, lr: float) -> None:
    if values.eta_min > lr:
        raise UsageError(f"eta_min must be ≤ lr, got {values.eta_min:g} with lr {lr:g}")
    if 0 < values.lr_max < lr:
        raise UsageError(f"lr_max must be 0 or ≥ lr, got {values.lr_max:g} with lr {lr:g}")


def _check_floors(asked: Sequence[Choice], schedulers: Sequence[PluginChoice], lr: float) -> None:
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


def _quorum(registry: Registry, strategy: PluginChoice, values: RunValues, clients: int) -> int:
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


def _clients(settings: Settings) -> tuple[ClientPlan, ...]:
    if not settings.clients:
        raise UsageError(
            f'no clients: add [[clients]] dataset = "URI" to {settings.origin}, or --client URI'
        )
    return tuple(
        ClientPlan(name, client.dataset, client.rename, client.epsilon)
        for name, client in zip(client_names(settings.clients), settings.clients, strict=True)
    )


def _evaluations(
    settings: Settings, registry: Registry, clients: Sequence[ClientPlan]
) -> tuple[EvaluationPlan, ...]:
    asked = settings.evaluations or ()
    several = len({entry.evaluator.name for entry in asked}) > 1
    evaluations = []
    for entry in asked:
        path = f"evaluator.{entry.evaluator.name}" if several else "evaluator"
        evaluator = choose(registry, "evaluator", entry.evaluator, path)
        evaluations.append(EvaluationPlan(entry.dataset, evaluator, entry.rename))
        if cast(EvaluatorPlugin, registry.get("evaluator", evaluator.name)).reads_episodes:
            check_disjoint(entry.dataset, clients)
        elif entry.rename:
            raise UsageError(
                f"evaluator '{evaluator.name}' reads no recordings, so there is nothing to rename; "
                f"leave out rename (from {entry.origin})"
            )
    return tuple(evaluations)


def _loaders(
    registry: Registry, clients: Sequence[ClientPlan], evaluations: Sequence[EvaluationPlan]
) -> tuple[PluginChoice, ...]:
    """Return the loaders of all datasets, by scheme.

    Raises:
        PluginError: if there is none for one, or it isn't usable.
    """
    users = [(f"client '{client.name}'", client.dataset) for client in clients]
    users += [("evaluation", evaluation.dataset) for evaluation in evaluations]
    loaders = {}
    for who, dataset in users:
        for uri in split_joined(dataset):
            scheme = Address.parse(uri, source=who).scheme
            if scheme not in loaders:
                choice = Choice(scheme, origin=f"dataset '{uri}' of {who}")
                loaders[scheme] = choose(registry, "loader", choice)
    return tuple(loaders[scheme] for scheme in sorted(loaders))
