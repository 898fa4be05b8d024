"""What a LeRobot policy takes, and whether a dataset has it."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from zk0_core.data import DatasetSchema
from zk0_core.datacheck.names import UnfitNames, camera_pairs
from zk0_core.errors import DataError

if TYPE_CHECKING:
    from lerobot.configs import PreTrainedConfig

# What a configuration says of places, machines and training presets is no part of the policy.
_NOT_POLICY = (
    "device",
    "vlm_model_name",
    "load_vlm_weights",
    "pretrained_path",
    "pretrained_revision",
    "pretrained_backbone_weights",
    "repo_id",
    "push_to_hub",
    "private",
    "tags",
    "license",
)
_NOT_POLICY_STARTS = ("optimizer_", "scheduler_")


def check_schema(config: "PreTrainedConfig", schema: DatasetSchema, who: str) -> None:
    """Raise DataError unless `schema`, supplied by `who`, has what the policy takes."""
    cameras = list(config.image_features)
    missing = [camera for camera in cameras if camera not in schema.cameras]
    spare = [camera for camera in schema.cameras if camera not in cameras]
    if missing:
        problem = (
            f"{who} has no camera {', '.join(missing)}, which the policy takes; "
            f"it has {', '.join(schema.cameras) or 'none'}"
        )
        if len(spare) < len(missing):
            raise DataError(
                f"{problem}; record it, or name the cameras to use with the option `cameras` of "
                '"lerobot"'
            )
        raise UnfitNames(f"{problem}; if they show the same", camera_pairs(spare, missing))
    for what, names, feature in (
        ("observation.state", schema.state, config.robot_state_feature),
        ("action", schema.action, config.action_feature),
    ):
        if feature is not None and feature.shape[0] != len(names):
            raise DataError(
                f"{who} has {len(names)} joints in {what} ({', '.join(names)}), "
                f"the policy takes {feature.shape[0]}; choose a dataset of the same robot"
            )


def check_supported(config: Any) -> None:
    """Raise DataError for what zk0 cannot feed a policy."""
    modes = sorted({mode.name for mode in config.normalization_mapping.values()})
    unknown = [mode for mode in modes if mode not in ("IDENTITY", "MEAN_STD", "MIN_MAX")]
    if unknown:
        raise DataError(
            f"policy {config.type!r} normalises by {', '.join(unknown)}; "
            "zk0 pools mean, deviation, minimum and maximum; choose another policy"
        )
    if getattr(config, "n_obs_steps", 1) > 1:
        raise DataError(
            f"policy {config.type!r} takes {config.n_obs_steps} observations at a time, zk0 gives "
            "one; choose another policy, or one trained with n_obs_steps = 1"
        )


def interface(config: "PreTrainedConfig") -> str:
    """Return the configuration as text, without places, machines and picture sizes."""
    kept = {
        name: value
        for name, value in dataclasses.asdict(config).items()
        if name not in _NOT_POLICY and not name.startswith(_NOT_POLICY_STARTS)
    }
    cameras = list(config.image_features)
    kept["input_features"] = cameras
    kept["output_features"] = {
        name: list(feature.shape)
        for name, feature in {**config.input_features, **config.output_features}.items()
        if name not in cameras
    }
    return json.dumps(_floats(kept), sort_keys=True, default=str)


def _floats(value: Any) -> Any:
    """Return `value` with whole numbers as floats: a saved configuration reads 10 as 10.0."""
    if isinstance(value, dict):
        return {name: _floats(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(inner) for inner in value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number else value
