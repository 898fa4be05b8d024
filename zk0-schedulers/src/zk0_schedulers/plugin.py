"""The schedulers of this package, registered as anyone's are."""

from collections.abc import Iterable

from zk0_core import LrSchedulerPlugin, MuSchedulerPlugin, hookimpl
from zk0_schedulers.constant import Constant
from zk0_schedulers.cosine import Cosine, CosineOptions
from zk0_schedulers.warm_restarts import WarmRestarts, WarmRestartsOptions

ZK0_API = 1


@hookimpl
def zk0_lr_schedulers() -> Iterable[LrSchedulerPlugin]:
    """Yield the learning-rate schedules."""
    yield LrSchedulerPlugin(
        name="constant",
        summary="The base learning rate in every round",
        build=lambda options: Constant(),
    )
    yield LrSchedulerPlugin(
        name="cosine",
        summary="Down to eta_min within each round",
        options=CosineOptions,
        build=Cosine,
    )
    yield LrSchedulerPlugin(
        name="warm-restarts",
        summary="Down to eta_min over a cycle of rounds, then back up",
        options=WarmRestartsOptions,
        build=WarmRestarts,
    )


@hookimpl
def zk0_mu_schedulers() -> Iterable[MuSchedulerPlugin]:
    """Yield the schedules of the proximal weight."""
    yield MuSchedulerPlugin(
        name="constant",
        summary="The strategy's mu in every round",
        build=lambda options: Constant(),
    )
