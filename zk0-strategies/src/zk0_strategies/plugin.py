"""The strategies of this package, registered as anyone's are."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zk0_core import StrategyPlugin, hookimpl
from zk0_core.records import NoOptions
from zk0_strategies.fedprox import FedProxOptions

if TYPE_CHECKING:
    from zk0_core.protocols import Objective, Strategy

ZK0_API = 1


@hookimpl
def zk0_strategies() -> Iterable[StrategyPlugin]:
    """Yield the strategies."""

    def fedavg(options: object) -> "Strategy":
        from zk0_strategies.fedavg import FedAvg

        return FedAvg()

    def proximal_term(options: FedProxOptions) -> "Objective":
        from zk0_strategies.fedprox import ProximalTerm

        return ProximalTerm()

    yield StrategyPlugin(
        name="fedavg",
        summary="Mean of the updates, weighted by examples",
        options=NoOptions,
        build=fedavg,
    )
    yield StrategyPlugin(
        name="fedprox",
        summary="FedAvg with a proximal term at the clients",
        options=FedProxOptions,
        build=fedavg,
        build_objective=proximal_term,
        uses_mu=True,
    )
