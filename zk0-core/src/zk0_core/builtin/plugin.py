"""What comes with zk0, registered as anyone's plugins are.

Option classes are imported here, what they build only when it is built.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zk0_core.hookspecs import hookimpl
from zk0_core.records import (
    CodecPlugin,
    DatasetLoaderPlugin,
    EvaluatorPlugin,
    PolicyPlugin,
    ReporterPlugin,
)

if TYPE_CHECKING:
    from zk0_core.protocols import Codec

ZK0_API = 1


@hookimpl
def zk0_dataset_loaders() -> Iterable[DatasetLoaderPlugin]:
    """Yield the dataset loaders."""
    from zk0_core.builtin import loader_hf, loader_local, loader_sim

    yield loader_sim.PLUGIN
    yield loader_local.PLUGIN
    yield loader_hf.PLUGIN


@hookimpl
def zk0_policies() -> Iterable[PolicyPlugin]:
    """Yield the policies."""
    from zk0_core.builtin import policy_lerobot, policy_smolvla_tiny

    yield policy_smolvla_tiny.PLUGIN
    yield policy_lerobot.PLUGIN


@hookimpl
def zk0_evaluators() -> Iterable[EvaluatorPlugin]:
    """Yield the evaluators."""
    from zk0_core.builtin import (
        evaluator_dataset_replay,
        evaluator_policy_loss,
        evaluator_sim_success,
    )

    yield evaluator_policy_loss.PLUGIN
    yield evaluator_sim_success.PLUGIN
    yield evaluator_dataset_replay.PLUGIN


@hookimpl
def zk0_reporters() -> Iterable[ReporterPlugin]:
    """Yield the reporters."""
    from zk0_core.builtin import (
        reporter_charts,
        reporter_console,
        reporter_hub,
        reporter_jsonl,
        reporter_report,
        reporter_tensorboard,
        reporter_wandb,
    )

    yield reporter_console.PLUGIN
    yield reporter_charts.PLUGIN
    yield reporter_report.PLUGIN
    yield reporter_jsonl.PLUGIN
    yield reporter_tensorboard.PLUGIN
    yield reporter_wandb.PLUGIN
    yield reporter_hub.PLUGIN


@hookimpl
def zk0_codecs() -> Iterable[CodecPlugin]:
    """Yield the codecs."""
    from zk0_core.builtin import codec_int8, codec_topk

    def float32(options: object) -> "Codec":
        from zk0_core.builtin.codec_float32 import Float32Codec

        return Float32Codec()

    def bfloat16(options: object) -> "Codec":
        from zk0_core.builtin.codec_bfloat16 import BFloat16Codec

        return BFloat16Codec()

    yield CodecPlugin(name="float32", summary="4 bytes a value, nothing lost", build=float32)
    yield CodecPlugin(
        name="bfloat16", summary="2 bytes a value, rounded to nearest even", build=bfloat16
    )
    yield codec_int8.PLUGIN
    yield codec_topk.PLUGIN
