"""The policies that are measured: the tiny SmolVLA, and one of the real architecture and size."""

import json
import tempfile
from pathlib import Path
from typing import Any

# Published values of SmolVLM2-500M-Video-Instruct, SmolVLA's vision-language model.
TEXT = {
    "hidden_size": 960,
    "intermediate_size": 2560,
    "num_attention_heads": 15,
    "num_key_value_heads": 5,
    "head_dim": 64,
    "num_hidden_layers": 32,
    "vocab_size": 49280,
    "max_position_embeddings": 8192,
}
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 512,
    "patch_size": 16,
}
SCALE = 4


def tiny(uri: str) -> Any:
    """Return the tiny SmolVLA for the dataset at `uri`."""
    from zk0_core.lerobot.families import TinySmolVLAFamily

    dataset, statistics = _described(uri)
    return TinySmolVLAFamily().load(dataset.schema, statistics, seed=0, device="cpu")


def real(uri: str, device: str = "cpu") -> Any:
    """Return SmolVLA with 450,046,176 random weights, 99,880,992 of them trained."""
    import torch
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    from zk0_core.lerobot.families import policy_features, quiet
    from zk0_core.lerobot.policies import LeRobotPolicy
    from zk0_core.lerobot.tiny_vlm import write_vlm_folder

    dataset, statistics = _described(uri)
    inputs, outputs = policy_features(dataset.schema)
    with tempfile.TemporaryDirectory(prefix="zk0-bench-") as name:
        folder = Path(name)
        write_vlm_folder(folder)
        config = json.loads((folder / "config.json").read_text())
        config["text_config"] |= TEXT
        config["vision_config"] |= VISION
        config["scale_factor"] = SCALE
        (folder / "config.json").write_text(json.dumps(config))
        torch.manual_seed(0)
        with quiet():
            module = SmolVLAPolicy(
                SmolVLAConfig(
                    input_features=inputs,
                    output_features=outputs,
                    device="cpu",
                    push_to_hub=False,
                    vlm_model_name=name,
                    load_vlm_weights=False,
                )
            )
        return LeRobotPolicy(module, statistics, device=device)


def _described(uri: str) -> Any:
    """Return the dataset at `uri` and its statistics."""
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.parts import open_dataset

    dataset = open_dataset(uri)
    return dataset, episode_sums(dataset, dataset.episodes)
