"""Everything that is installed holds the contract of its kind, save for exceptions with reasons.

Plugins that come later are tested as soon as they are installed. What needs more than defaults has
its contracts in the module `contracts` beside its plugin module, as anyone's plugin may.
"""

from typing import Any

import pytest

from zk0_core.plugins import Plugin
from zk0_core.registry import Registry
from zk0_core.span import Span
from zk0_core.testing.contract import Contract, check_names
from zk0_core.testing.runner import contracts_of
from zk0_core.testing.schedule import eventful

HEAVY = ("loader", "evaluator", "policy")
"""Kinds whose contracts record demonstrations or load policies."""


def checks(*kinds: str) -> list[Any]:
    found = (p for p in Registry.discover().plugins if p.status == "ok" and p.kind in kinds)
    return [
        pytest.param(contract, name, id=f"{plugin.kind}-{plugin.name}-{name}")
        for plugin in found
        for contract in contracts_of(plugin)
        for name in check_names(contract)
    ]


@pytest.mark.parametrize(
    ("contract", "name"), checks("strategy", "scheduler", "mu-scheduler", "reporter", "codec")
)
def test_it_holds(contract: type[Contract], name: str) -> None:
    getattr(contract(), name)()


@pytest.mark.long
@pytest.mark.parametrize(("contract", "name"), checks(*HEAVY))
def test_it_holds_with_a_real_policy(contract: type[Contract], name: str) -> None:
    getattr(contract(), name)()


def test_the_history_of_the_contracts_moves_every_schedule_that_looks_at_one() -> None:
    looking = {"reduce-on-plateau", "trend", "adaptive-boost", "loss-spread"}
    base = Span.constant(0.01)
    for plugin in Registry.discover().plugins:
        if plugin.name in looking:
            schedule = plugin.record.build(plugin.record.options())
            values = {schedule.value(round, base, eventful(round), "ann") for round in range(1, 13)}
            assert values - {base}, plugin.name
            looking.remove(plugin.name)
    assert not looking


def test_every_usable_plugin_has_a_contract() -> None:
    plugins: list[Plugin] = [p for p in Registry.discover().plugins if p.status == "ok"]
    assert plugins
    for plugin in plugins:
        assert contracts_of(plugin), plugin.name
