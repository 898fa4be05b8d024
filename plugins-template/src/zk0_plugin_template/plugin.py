"""What this package adds to zk0; the entry point in pyproject.toml names this module.

Importing it registers records and does nothing else: what is heavy is imported in what `build`
returns.
"""

from collections.abc import Iterable

from zk0_core import (
    CodecPlugin,
    DatasetLoaderPlugin,
    EvaluatorPlugin,
    LrSchedulerPlugin,
    MuSchedulerPlugin,
    PolicyPlugin,
    ReporterPlugin,
    StrategyPlugin,
    hookimpl,
)

ZK0_API = 1
"""The plugin interface that this was written for."""


@hookimpl
def zk0_strategies() -> Iterable[StrategyPlugin]:
    """Yield the strategies of this package."""
    from zk0_plugin_template.strategy import Mean, MeanOptions

    yield StrategyPlugin(
        name="plugin-template",
        summary="Mean of the updates, every client alike",
        options=MeanOptions,
        build=Mean,
    )


@hookimpl
def zk0_lr_schedulers() -> Iterable[LrSchedulerPlugin]:
    """Yield the learning-rate schedulers of this package."""
    from zk0_plugin_template.scheduler import Halving, HalvingOptions

    yield LrSchedulerPlugin(
        name="plugin-template",
        summary="Half the learning rate after every so many rounds",
        options=HalvingOptions,
        build=Halving,
    )


@hookimpl
def zk0_mu_schedulers() -> Iterable[MuSchedulerPlugin]:
    """Yield the schedulers of the proximal weight of this package."""
    from zk0_plugin_template.mu_scheduler import Delay, DelayOptions

    yield MuSchedulerPlugin(
        name="plugin-template",
        summary="No proximal term in the first rounds",
        options=DelayOptions,
        build=Delay,
    )


@hookimpl
def zk0_dataset_loaders() -> Iterable[DatasetLoaderPlugin]:
    """Yield the dataset loaders of this package; the name is the scheme of addresses."""
    from zk0_plugin_template.loader import WavesLoader

    yield DatasetLoaderPlugin(
        name="plugin-template",
        summary="Joints that wave, in front of a grey wall: plugin-template:episodes=3",
        build=lambda options: WavesLoader(),
    )


@hookimpl
def zk0_evaluators() -> Iterable[EvaluatorPlugin]:
    """Yield the evaluators of this package."""
    from zk0_plugin_template.evaluator import WeightNorm

    yield EvaluatorPlugin(
        name="plugin-template",
        summary="Euclidean norm of the exchanged parameters",
        build=lambda options: WeightNorm(),
        reads_episodes=False,
    )


@hookimpl
def zk0_policies() -> Iterable[PolicyPlugin]:
    """Yield the policies of this package."""
    from zk0_plugin_template.policy import build

    yield PolicyPlugin(
        name="plugin-template",
        summary="The tiny SmolVLA, with shorter chunks of actions",
        build=build,
    )


@hookimpl
def zk0_reporters() -> Iterable[ReporterPlugin]:
    """Yield the reporters of this package."""
    from zk0_plugin_template.reporter import CsvReporter

    yield ReporterPlugin(
        name="plugin-template",
        summary="One row a round, in losses.csv",
        build=lambda options: CsvReporter(),
    )


@hookimpl
def zk0_codecs() -> Iterable[CodecPlugin]:
    """Yield the codecs of this package."""
    from zk0_plugin_template.codec import Int8Codec

    yield CodecPlugin(
        name="plugin-template",
        summary="1 byte a value: whole numbers from -127 to 127, and one scale a tensor",
        build=lambda options: Int8Codec(),
    )
