"""Federations of tiny clients, some of which misbehave."""

from collections.abc import Callable
from typing import Any

import pytest

from tests import quadratic as tiny
from tests.robustness.four_clients import CLIENTS, ROUNDS, TARGETS, loss
from zk0_core.tensors import fingerprint

federate, quadratic = tiny.federate, tiny.quadratic  # fixtures


@pytest.fixture
def run(federate, quadratic) -> Callable[..., Any]:
    """Run ten rounds of three honest clients, and of one more that sends what `forge` makes."""

    def run(strategy: str = "fedavg", forge: Any = None, **options: Any) -> Any:
        problems = {
            name: quadratic([1.0] * 4, target.tolist())
            for name, target in zip(CLIENTS, TARGETS, strict=True)
            if name != "evil" or forge
        }
        clients = federate(
            problems, strategy, options, local_steps=3, lr=0.05, optimizer_state="reset"
        )
        if forge:
            clients.grid.forge["evil"] = forge
        for _ in range(ROUNDS):
            clients.round()
        return clients

    return run


ENDS: dict[tuple[str, str], tuple[float, str]] = {}


@pytest.fixture
def without(run) -> Callable[..., tuple[float, str]]:
    """Run without the hostile client, once per strategy: the loss, and the parameters' hash."""

    def without(strategy: str = "fedavg", **options: Any) -> tuple[float, str]:
        key = strategy, str(options)
        if key not in ENDS:
            clients = run(strategy, **options)
            ENDS[key] = loss(clients), fingerprint(clients.params)
        return ENDS[key]

    return without
