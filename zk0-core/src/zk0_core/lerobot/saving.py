"""A policy written in LeRobot's own format, whole or not at all."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.files import whole_folder

if TYPE_CHECKING:
    from lerobot.policies.pretrained import PreTrainedPolicy

VLM = "vlm"
"""Folder, inside a saved SmolVLA, of its vision-language model's tokenizer and configuration."""


def save_policy(module: "PreTrainedPolicy", pre: Any, post: Any, folder: Path) -> None:
    """Write policy, pre- and post-processor to `folder`, replacing what is there.

    SmolVLA's configuration and tokenizer are named by an absolute path in LeRobot's format. When
    they come from a folder, a copy goes into `folder/vlm` and the path is that copy's.

    Args:
        module: The policy.
        pre: Its preprocessor.
        post: Its postprocessor.
        folder: Where it will lie; stock LeRobot opens it there.
    """
    folder = folder.absolute()
    with whole_folder(folder) as part, _VlmPlace(module, pre, part, folder):
        module.save_pretrained(part)
        pre.save_pretrained(part)
        post.save_pretrained(part)


class _VlmPlace:
    """While it is entered, configuration and tokenizer step name `folder/vlm`."""

    def __init__(self, module: "PreTrainedPolicy", pre: Any, part: Path, folder: Path) -> None:
        self._config = module.config
        self._old = getattr(module.config, "vlm_model_name", "")
        self._local = bool(self._old) and Path(self._old).is_dir()
        self._steps = [step for step in pre.steps if hasattr(step, "tokenizer_name")]
        self._part = part
        self._new = str(folder / VLM)

    def __enter__(self) -> None:
        if not self._local:
            return
        # Weights are in the policy's own file, the frozen ones too.
        shutil.copytree(
            self._old,
            self._part / VLM,
            ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.md"),
        )
        self._name(self._new)

    def __exit__(self, *_: object) -> None:
        if self._local:
            self._name(self._old)

    def _name(self, place: str) -> None:
        self._config.vlm_model_name = place
        for step in self._steps:
            step.tokenizer_name = place
