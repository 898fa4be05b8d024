"""Registers a policy of any size that trains in no time, and FedAvg that says what happens when."""

from collections.abc import Iterable

import attrs

from zk0_core import PolicyPlugin, StrategyPlugin, hookimpl

ZK0_API = 1


@attrs.frozen(kw_only=True)
class ExchangeOptions:
    """How large the policy is."""

    values: int = attrs.field(default=25, metadata={"help": "Its parameters, float32."})


@hookimpl
def zk0_policies() -> Iterable[PolicyPlugin]:
    """Yield the policy."""

    def build(options: ExchangeOptions) -> object:
        from zk0_exchange.policy import ExchangeFamily

        return ExchangeFamily(options.values)

    yield PolicyPlugin(
        name="exchange", summary="Values to send around", options=ExchangeOptions, build=build
    )


@hookimpl
def zk0_strategies() -> Iterable[StrategyPlugin]:
    """Yield the strategy."""

    def build(options: object) -> object:
        from zk0_exchange.strategy import StampedFedAvg

        return StampedFedAvg(options)

    yield StrategyPlugin(name="stamped-fedavg", summary="FedAvg, with times", build=build)
