"""The schedulers of this package, registered as anyone's are."""

from collections.abc import Iterable

from zk0_core import LrSchedulerPlugin, MuSchedulerPlugin, hookimpl
from zk0_schedulers.adaptive_boost import AdaptiveBoost, AdaptiveBoostOptions
from zk0_schedulers.constant import Constant
from zk0_schedulers.cosine import Cosine, CosineOptions
from zk0_schedulers.decay import Decay, DecayOptions
from zk0_schedulers.loss_spread import LossSpread, LossSpreadOptions
from zk0_schedulers.reduce_on_plateau import ReduceOnPlateau, ReduceOnPlateauOptions
from zk0_schedulers.trend import Trend, TrendOptions
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
    yield LrSchedulerPlugin(
        name="reduce-on-plateau",
        summary="Lower after each plateau of the server's loss",
        options=ReduceOnPlateauOptions,
        build=ReduceOnPlateau,
        uses_history=True,
    )
    yield LrSchedulerPlugin(
        name="trend",
        summary="Lower while the server's loss stalls or diverges",
        options=TrendOptions,
        build=Trend,
        uses_history=True,
    )
    yield LrSchedulerPlugin(
        name="adaptive-boost",
        summary="Higher for a client whose loss is far above the others'",
        options=AdaptiveBoostOptions,
        build=AdaptiveBoost,
        uses_history=True,
    )


@hookimpl
def zk0_mu_schedulers() -> Iterable[MuSchedulerPlugin]:
    """Yield the schedules of the proximal weight."""
    yield MuSchedulerPlugin(
        name="constant",
        summary="The strategy's mu in every round",
        build=lambda options: Constant(),
    )
    yield MuSchedulerPlugin(
        name="decay",
        summary="Lower by the same factor every round",
        options=DecayOptions,
        build=Decay,
    )
    yield MuSchedulerPlugin(
        name="loss-spread",
        summary="Higher after a round in which the clients' losses lay far apart",
        options=LossSpreadOptions,
        build=LossSpread,
        uses_history=True,
    )
