"""The strategies of this package, registered as anyone's are."""

from collections.abc import Iterable

from zk0_core import StrategyPlugin, hookimpl
from zk0_strategies import (
    bulyan,
    diloco,
    fedadagrad,
    fedadam,
    fedavg,
    fedavgm,
    fedmedian,
    fedprox,
    fedyogi,
    krum,
    multi_krum,
    norm_clip,
    qfedavg,
    scaffold,
    trimmed_mean,
)

ZK0_API = 1


@hookimpl
def zk0_strategies() -> Iterable[StrategyPlugin]:
    """Yield the strategies: those that average, those that help drifting clients, robust ones."""
    yield StrategyPlugin(
        name="fedavg",
        summary="Mean of the updates, weighted by examples",
        build=fedavg.FedAvg,
    )
    yield StrategyPlugin(
        name="fedprox",
        summary="FedAvg with a proximal term at the clients",
        options=fedprox.FedProxOptions,
        build=fedavg.FedAvg,
        build_objective=fedprox.ProximalTerm,
        uses_mu=True,
    )
    yield StrategyPlugin(
        name="scaffold",
        summary="Control variates correct each client's gradients",
        build=scaffold.Scaffold,
        build_objective=scaffold.ControlVariate,
    )
    yield StrategyPlugin(
        name="diloco",
        summary="Nesterov momentum on the server, for long local training",
        options=diloco.DiLoCoOptions,
        build=diloco.DiLoCo,
    )
    yield StrategyPlugin(
        name="qfedavg",
        summary="Clients with a high loss count more",
        options=qfedavg.QFedAvgOptions,
        build=qfedavg.QFedAvg,
        wants_start_loss=True,
    )
    yield StrategyPlugin(
        name="fedavgm",
        summary="Momentum on the server",
        options=fedavgm.FedAvgMOptions,
        build=fedavgm.build,
    )
    yield StrategyPlugin(
        name="fedadam",
        summary="Adam on the server",
        options=fedadam.FedAdamOptions,
        build=fedadam.build,
    )
    yield StrategyPlugin(
        name="fedadagrad",
        summary="Adagrad on the server",
        options=fedadagrad.FedAdagradOptions,
        build=fedadagrad.build,
    )
    yield StrategyPlugin(
        name="fedyogi",
        summary="Yogi on the server",
        options=fedyogi.FedYogiOptions,
        build=fedyogi.build,
    )
    yield StrategyPlugin(
        name="fedmedian",
        summary="Median of the updates, value by value",
        build=fedmedian.build,
        needed_updates=fedmedian.needed_updates,
        sees_all_updates=True,
    )
    yield StrategyPlugin(
        name="trimmed-mean",
        summary="Mean without the highest and lowest, value by value",
        options=trimmed_mean.TrimmedMeanOptions,
        build=trimmed_mean.build,
        needed_updates=trimmed_mean.needed_updates,
        sees_all_updates=True,
    )
    yield StrategyPlugin(
        name="krum",
        summary="The one update that has the most others near it",
        options=krum.KrumOptions,
        build=krum.build,
        needed_updates=krum.needed_updates,
        sees_all_updates=True,
    )
    yield StrategyPlugin(
        name="multi-krum",
        summary="Mean of the updates that have the most others near them",
        options=multi_krum.MultiKrumOptions,
        build=multi_krum.build,
        needed_updates=multi_krum.needed_updates,
        sees_all_updates=True,
    )
    yield StrategyPlugin(
        name="bulyan",
        summary="Mean around the median of the updates that Krum trusts",
        options=bulyan.BulyanOptions,
        build=bulyan.build,
        needed_updates=bulyan.needed_updates,
        sees_all_updates=True,
    )
    yield StrategyPlugin(
        name="norm-clip",
        summary="Mean of updates that are clipped to a norm",
        options=norm_clip.NormClipOptions,
        build=norm_clip.build,
        needed_updates=norm_clip.needed_updates,
        sees_all_updates=True,
    )
