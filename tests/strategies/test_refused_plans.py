"""Strategies in a plan: what is refused before anything is trained."""

from typing import Any

import pytest

from zk0_core.errors import UsageError
from zk0_core.plan import PluginChoice
from zk0_core.registry import Registry

RUN_FILE = """
lr = 1e-3
batch_size = 8
reporters = []
[policy]
name = "smolvla-tiny"
"""


def resolved(strategy: str, clients: int, more: str = "", **options: Any) -> Any:
    from zk0_core.resolve import resolve_plan
    from zk0_core.runfile import settings_from_toml

    table = "".join(f"\n{key} = {value}" for key, value in options.items())
    text = f'{more}{RUN_FILE}\n[strategy]\nname = "{strategy}"{table}\n'
    text += "".join(f'[[clients]]\ndataset = "local:/data/arm-{i}"\n' for i in range(clients))
    return resolve_plan(settings_from_toml(text, "run.toml"), Registry.discover())


@pytest.mark.parametrize(
    ("strategy", "clients", "options", "text"),
    [
        (
            "krum",
            4,
            {},
            "strategy 'krum' with f = 1 needs at least 5 clients in a round, this run asks 4 "
            "(4 clients, fraction 1); add clients, or choose other options or another strategy",
        ),
        (
            "trimmed-mean",
            4,
            {},
            "strategy 'trimmed-mean' with beta = 0.2 needs at least 5 clients in a round, this run "
            "asks 4 (4 clients, fraction 1); add clients, or choose other options or another "
            "strategy",
        ),
        (
            "multi-krum",
            7,
            {"f": 1, "select": 6},
            "strategy 'multi-krum' with f = 1, select = 6 needs at least 9 clients in a round, "
            "this run asks 7 (7 clients, fraction 1); add clients, or choose other options or "
            "another strategy",
        ),
        (
            "bulyan",
            6,
            {},
            "strategy 'bulyan' with f = 1 needs at least 7 clients in a round, this run asks 6 "
            "(6 clients, fraction 1); add clients, or choose other options or another strategy",
        ),
        (
            "fedmedian",
            2,
            {},
            "strategy 'fedmedian' needs at least 3 clients in a round, this run asks 2 "
            "(2 clients, fraction 1); add clients, or choose another strategy",
        ),
        (
            "norm-clip",
            2,
            {},
            "strategy 'norm-clip' needs at least 3 clients in a round, this run asks 2 (2 clients, "
            "fraction 1); add clients, or choose other options or another strategy",
        ),
    ],
)
def test_too_few_clients_for_a_strategy(strategy, clients, options, text) -> None:
    with pytest.raises(UsageError) as refused:
        resolved(strategy, clients, **options)
    assert str(refused.value) == text


def test_the_fraction_counts_too() -> None:
    with pytest.raises(UsageError, match=r"this run asks 4 \(8 clients, fraction 0.5\)"):
        resolved("krum", 8, "fraction = 0.5\n")


def test_the_plan_asks_for_as_many_updates_as_the_strategy_needs() -> None:
    assert resolved("krum", 6).min_updates == 5
    assert resolved("krum", 6, "min_updates = 6\n").min_updates == 6
    assert resolved("fedavg", 6).min_updates == 1
    assert resolved("norm-clip", 2, bound=1.0).min_updates == 1


def test_personal_parts_in_a_run_file() -> None:
    plan = resolved("fedmedian", 3, personal='["action_out_proj.*"]')
    assert plan.strategy.options["personal"] == ("action_out_proj.*",)
    with pytest.raises(UsageError, match=r"strategy\.personal must be a list of texts, got 'x'"):
        resolved("fedmedian", 3, personal='"x"')


def test_a_mu_scheduler_needs_a_strategy_with_mu() -> None:
    text = (
        r"mu-scheduler 'constant' cannot be used with strategy 'scaffold', which has no mu; leave "
        r"it out, or choose a strategy that has one: fedprox"
    )
    with pytest.raises(UsageError, match=text):
        resolved("scaffold", 2, 'mu_schedulers = [{name = "constant"}]\n')


def test_a_choice_without_personal_parts_has_none() -> None:
    from zk0_core.personal import personal_patterns

    assert personal_patterns(PluginChoice("strategy", "somebodys", {})) == ()
