"""From settings to a plan: plugins are found, options checked, defaults filled in.

The one place where defaults meet: those of zk0 (`run_values.RunValues`), of the policy family
(lr, batch size) and of each plugin's options.
"""

from collections.abc import Sequence
from typing import cast

from zk0_core.addresses import Address, check_disjoint, split_joined
from zk0_core.choosing import check_disabled, choose, choose_all
from zk0_core.client_names import client_names
from zk0_core.combinations import (
    check_accumulation,
    check_exclusive,
    check_floors,
    check_lr,
    check_mu,
    quorum_of,
)
from zk0_core.errors import UsageError
from zk0_core.options import structure_options
from zk0_core.plan import ClientPlan, EvaluationPlan, PluginChoice, RunPlan
from zk0_core.records import EvaluatorPlugin, PolicyPlugin
from zk0_core.registry import Registry
from zk0_core.run_values import RunValues
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
    check_exclusive(settings)
    values = structure_options(RunValues, settings.values, path="", origins=settings.origins)
    if settings.policy is None:
        raise UsageError(
            f'no policy: add [policy] name = "NAME" to {settings.origin}, or --policy NAME; '
            f"choose from {', '.join(registry.names('policy'))}"
        )
    policy = choose(registry, "policy", settings.policy)
    strategy = choose(registry, "strategy", settings.strategy)
    mu_schedulers = choose_all(registry, "mu-scheduler", settings.mu_schedulers or ())
    check_mu(registry, strategy, mu_schedulers)
    schedulers = choose_all(registry, "scheduler", settings.schedulers or ())
    codec = choose(registry, "codec", settings.codec)
    clients = _clients(settings)
    quorum = quorum_of(registry, strategy, values, len(clients))
    evaluations = _evaluations(settings, registry, clients)
    loaders = _loaders(registry, clients, evaluations)
    reporters = choose_all(registry, "reporter", settings.reporters or ())
    # Last, since a policy family may import much.
    lr, batch_size = _local_defaults(registry, policy, values)
    check_lr(values, lr)
    check_accumulation(values, batch_size)
    check_floors(settings.schedulers or (), schedulers, lr)
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
        disabled=tuple(dict.fromkeys(settings.disabled)),
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
        gradient_accumulation=values.gradient_accumulation,
        name_datasets=values.name_datasets,
        cache_gb=values.cache_gb,
        uplink_mbps=values.uplink_mbps,
    )


def _local_defaults(
    registry: Registry, policy: PluginChoice, values: RunValues
) -> tuple[float, int]:
    """Return lr and batch size; the policy family's where they aren't given.

    The family is made in any case: it knows which of its options do not go together.
    """
    plugin = registry.find("policy", policy.name)
    options_class = cast(PolicyPlugin, plugin.record).options
    family = plugin.build(structure_options(options_class, policy.options, path="policy"))
    lr = family.default_lr if values.lr is None else values.lr
    return lr, family.default_batch_size if values.batch_size is None else values.batch_size


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
