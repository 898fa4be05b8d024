"""ACT, as LeRobot has it, from new weights.

Zhao et al. 2023, "Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware". zk0
can train any policy of LeRobot: what a family adds is the configuration for the datasets at hand.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core import UsageError, ge

if TYPE_CHECKING:
    from zk0_core import Policy
    from zk0_core.data import DatasetSchema, Statistics


@attrs.frozen(kw_only=True)
class ActOptions:
    """Options: flags `--policy.chunk-size`, keys of [policy] in a run file."""

    chunk_size: int = attrs.field(
        default=100, validator=ge(1), metadata={"help": "Actions predicted at a time."}
    )
    n_action_steps: int = attrs.field(
        default=50, validator=ge(1), metadata={"help": "Of those, how many are executed."}
    )
    dim_model: int = attrs.field(
        default=512,
        validator=ge(8),
        metadata={"help": "Width of the transformer, a multiple of 8."},
    )


class ActFamily:
    """ACT for the joints and cameras of the datasets, with a ResNet-18 of new weights."""

    default_lr = 1e-5
    default_batch_size = 8

    def __init__(self, options: ActOptions) -> None:
        if options.n_action_steps > options.chunk_size:
            raise UsageError(
                f"policy.n_action_steps is {options.n_action_steps}, more than policy.chunk_size "
                f"{options.chunk_size}; the chunk is what can be executed at most"
            )
        self._options = options

    def load(
        self, schema: "DatasetSchema", statistics: "Statistics", *, seed: int, device: str
    ) -> "Policy":
        """Return the policy for datasets like `schema`; its weights are drawn from `seed`."""
        import torch
        from lerobot.configs.types import FeatureType, PolicyFeature
        from lerobot.policies.act.configuration_act import ACTConfig
        from lerobot.policies.act.modeling_act import ACTPolicy

        from zk0_core.lerobot.policies import LeRobotPolicy

        inputs = {"observation.state": PolicyFeature(FeatureType.STATE, (len(schema.state),))}
        for camera, (height, width, channels) in schema.cameras.items():
            inputs[camera] = PolicyFeature(FeatureType.VISUAL, (channels, height, width))
        config = ACTConfig(
            input_features=inputs,
            output_features={"action": PolicyFeature(FeatureType.ACTION, (len(schema.action),))},
            device="cpu",
            push_to_hub=False,
            pretrained_backbone_weights=None,  # nothing is downloaded
            chunk_size=self._options.chunk_size,
            n_action_steps=self._options.n_action_steps,
            dim_model=self._options.dim_model,
            dim_feedforward=4 * self._options.dim_model,
        )
        # New weights are drawn on the CPU, so that they are the same whatever trains them.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = ACTPolicy(config)
        return LeRobotPolicy(module, statistics, device=device)


def build(options: ActOptions) -> ActFamily:
    """Return the family."""
    return ActFamily(options)
