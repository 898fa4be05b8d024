"""The hooks that a plugin may implement: one per kind of plugin, each yielding records.

A plugin is a module that an entry point of the group `zk0` names:

    # pyproject.toml
    [project.entry-points.zk0]
    mine = "my_package.plugin"

    # my_package/plugin.py
    from zk0_core import StrategyPlugin, hookimpl

    ZK0_API = 1

    @hookimpl
    def zk0_strategies():
        def build(options):
            from my_package.mean import Mean  # heavy imports belong here

            return Mean()

        yield StrategyPlugin(name="mean", summary="Every client counts alike", build=build)

Names are lower-case, digits and hyphens. Importing a plugin registers records and does nothing
else; it must not import torch, flwr or lerobot.
"""

from collections.abc import Iterable

import pluggy

from zk0_core.records import (
    CodecPlugin,
    DatasetLoaderPlugin,
    EvaluatorPlugin,
    LrSchedulerPlugin,
    MuSchedulerPlugin,
    PolicyPlugin,
    ReporterPlugin,
    StrategyPlugin,
)

PROJECT = "zk0"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Zk0Specs:
    """The specifications."""

    @hookspec
    def zk0_strategies(self) -> Iterable[StrategyPlugin]:
        """Yield strategies: how updates are combined, and what clients add to their loss.

        Example:
            yield StrategyPlugin(
                name="fedprox",
                summary="FedAvg with a proximal term at the clients",
                options=FedProxOptions,
                build=lambda options: FedAvg(),               # a protocols.Strategy
                build_objective=lambda options: ProximalTerm(),  # a protocols.Objective
                uses_mu=True,
            )
        """
        return ()

    @hookspec
    def zk0_lr_schedulers(self) -> Iterable[LrSchedulerPlugin]:
        """Yield learning-rate schedules; several chosen ones chain.

        Example:
            yield LrSchedulerPlugin(
                name="halving",
                summary="Half as much every round",
                build=lambda options: Halving(),  # a protocols.Schedule
            )
        """
        return ()

    @hookspec
    def zk0_mu_schedulers(self) -> Iterable[MuSchedulerPlugin]:
        """Yield schedules of the proximal weight, for strategies with `uses_mu`.

        Example:
            yield MuSchedulerPlugin(
                name="decay",
                summary="A little less every round",
                options=DecayOptions,
                build=Decay,  # a protocols.Schedule
            )
        """
        return ()

    @hookspec
    def zk0_dataset_loaders(self) -> Iterable[DatasetLoaderPlugin]:
        """Yield dataset loaders; a loader's name is the URI scheme that it opens.

        Example:
            yield DatasetLoaderPlugin(
                name="s3",  # opens s3:bucket/desk
                summary="LeRobot datasets in an S3 bucket",
                build=lambda options: S3Loader(),  # a protocols.DatasetLoader
            )
        """
        return ()

    @hookspec
    def zk0_evaluators(self) -> Iterable[EvaluatorPlugin]:
        """Yield evaluators: ways to score the global model on an evaluation dataset.

        Example:
            yield EvaluatorPlugin(
                name="smoothness",
                summary="How much the predicted actions jerk",
                build=lambda options: Smoothness(),  # a protocols.Evaluator
            )
        """
        return ()

    @hookspec
    def zk0_policies(self) -> Iterable[PolicyPlugin]:
        """Yield families of policies that can be trained.

        Example:
            yield PolicyPlugin(
                name="lerobot",
                summary="A saved LeRobot policy from a folder or the Hub",
                options=LeRobotOptions,
                build=LeRobotFamily,  # a protocols.PolicyFamily
            )
        """
        return ()

    @hookspec
    def zk0_reporters(self) -> Iterable[ReporterPlugin]:
        """Yield reporters: they are told what happens in a run.

        Example:
            yield ReporterPlugin(
                name="bell",
                summary="Rings when the run is over",
                build=lambda options: Bell(),  # a protocols.Reporter
            )
        """
        return ()

    @hookspec
    def zk0_codecs(self) -> Iterable[CodecPlugin]:
        """Yield codecs: encodings of tensors on the wire.

        Example:
            yield CodecPlugin(
                name="bfloat16",
                summary="Half the bytes, rounded to nearest even",
                build=lambda options: BFloat16Codec(),  # a protocols.Codec
            )
        """
        return ()
