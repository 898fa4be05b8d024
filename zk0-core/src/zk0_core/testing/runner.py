"""Contracts without pytest: which ones a plugin has, and what comes of them."""

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import attrs

from zk0_core import testing
from zk0_core.errors import PluginError
from zk0_core.faults import reason_of
from zk0_core.plugins import Plugin
from zk0_core.testing.contract import Contract, check_names, sentence

CONTRACTS: dict[str, type[Contract]] = {
    "strategy": testing.StrategyContract,
    "scheduler": testing.ScheduleContract,
    "mu-scheduler": testing.MuScheduleContract,
    "loader": testing.LoaderContract,
    "evaluator": testing.EvaluatorContract,
    "policy": testing.PolicyContract,
    "reporter": testing.ReporterContract,
    "codec": testing.CodecContract,
}
"""Kind of plugin to its contract; a strategy's client half has the ObjectiveContract besides."""

OWN = "contracts"
"""Module beside a plugin's own in which it may bring contracts with its exceptions and samples."""


@attrs.frozen(kw_only=True)
class CheckResult:
    """What came of one check of one plugin."""

    kind: str
    name: str
    check: str
    """Name of the method, such as test_there_and_back."""
    holds: str
    """What must hold, in a sentence."""
    outcome: str
    """passed, failed or excepted."""
    reason: str = ""
    """Why it failed, or why it is excepted; one line."""


def contracts_of(plugin: Plugin, **changes: Any) -> list[type[Contract]]:
    """Return the contracts of an installed plugin: its own where it brings some.

    Args:
        plugin: A usable plugin.
        changes: Attributes to set on the contracts that have them, such as `options`.
    """
    own = _own(plugin)
    bases = [CONTRACTS[plugin.kind]]
    if getattr(plugin.record, "build_objective", None):
        bases.append(testing.ObjectiveContract)
    contracts = []
    for base in bases:
        found = [contract for contract in own if issubclass(contract, base)]
        for contract in found or [base]:
            fields = {name: value for name, value in changes.items() if hasattr(contract, name)}
            fields["plugin"] = plugin.name
            contracts.append(type(contract.__name__, (contract,), fields))
    return contracts


def run_contract(contract: type[Contract], plugin: Plugin) -> Iterator[CheckResult]:
    """Run every check of `contract`, each on a new instance, and yield what came of it."""
    for name in check_names(contract):
        yield _run(contract, name, plugin)


def _run(contract: type[Contract], name: str, plugin: Plugin) -> CheckResult:
    test = getattr(contract, name)
    outcome, reason = "passed", ""
    # What is tested may fail in any way: that is the result.
    try:
        test(contract())
    except SkipTest as excepted:
        outcome, reason = "excepted", str(excepted)
    except AssertionError as failure:
        outcome, reason = "failed", _line(failure) or "an assertion failed"
    except (Exception, SystemExit) as failure:
        outcome, reason = "failed", f"{type(failure).__name__}: {_line(failure)}"
    return CheckResult(
        kind=plugin.kind,
        name=plugin.name,
        check=name,
        holds=sentence(test),
        outcome=outcome,
        reason=reason,
    )


def _own(plugin: Plugin) -> list[type[Contract]]:
    """Return the contracts for `plugin` in the module `contracts` beside its own, if there is one.

    Raises:
        PluginError: if there is one that cannot be imported.
    """
    package = plugin.module.rpartition(".")[0]
    name = f"{package}.{OWN}"
    if not package or importlib.util.find_spec(name) is None:
        return []
    # It is somebody else's code, which may fail in any way.
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise PluginError(
            f"{name} of {plugin.source} cannot be imported: {reason_of(error, plugin.source)}"
        ) from error
    return [
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Contract)
        if (found.kind, found.plugin) == (plugin.kind, plugin.name)
    ]


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
