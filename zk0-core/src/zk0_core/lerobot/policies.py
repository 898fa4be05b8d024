"""A LeRobot policy, with its processors, as zk0's `Policy`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from loguru import logger

from zk0_core.cache import cache_limit
from zk0_core.data import DatasetSchema, Progress, RobotDataset, Statistics
from zk0_core.errors import DataError, UsageError
from zk0_core.joined import parts_of
from zk0_core.lerobot.cached_loss import cached_loss, with_prefix
from zk0_core.lerobot.compatibility import check_schema, check_supported, interface
from zk0_core.lerobot.examples import Chunks, PictureSource, observation
from zk0_core.lerobot.flow import flow_draws, flow_noise
from zk0_core.lerobot.frames import frame_memmap
from zk0_core.lerobot.prefix_model import Batch, obstacle
from zk0_core.lerobot.prefix_source import prefix_source
from zk0_core.lerobot.rows import Rows
from zk0_core.lerobot.stats import lerobot_stats
from zk0_core.tensors import fingerprint

if TYPE_CHECKING:
    from lerobot.policies.pretrained import PreTrainedPolicy

    from zk0_core.protocols import BatchSource

_MEAN_OVER_STEPS = ("smolvla", "act")
"""Policies whose loss leaves a chunk's padding out of the mean; others count it as well."""


class LeRobotPolicy:
    """One of LeRobot's policies on one device."""

    def __init__(
        self,
        module: "PreTrainedPolicy",
        statistics: Statistics,
        *,
        device: str = "cpu",
        noise_scale: float = 1.0,
    ) -> None:
        """Put `module` on `device` and make its processors from `statistics`.

        Args:
            module: The policy.
            statistics: What it normalises with.
            device: Where it runs.
            noise_scale: What SmolVLA's noise is multiplied by when it acts, 0 to 1; training
                always draws it whole.

        Raises:
            DataError: if the policy needs statistics that zk0 does not pool, or several
                observations at a time.
            UsageError: if `noise_scale` is not 1 and the policy is no SmolVLA.
        """
        from lerobot.policies.factory import make_pre_post_processors

        config = module.config
        config.device = device
        check_supported(config)
        self.module = module.to(device)
        self._device = device
        self._cameras = list(config.image_features)
        self._pre, self._post = make_pre_post_processors(
            config, dataset_stats=lerobot_stats(statistics, self._cameras)
        )
        self._smolvla = config.type == "smolvla"
        if noise_scale != 1.0 and not self._smolvla:
            raise UsageError(
                f"policy.noise_scale is {noise_scale}, which only SmolVLA has; this policy is "
                f"{config.type}: leave it at 1.0"
            )
        self._noise_scale = noise_scale
        self._frozen = ""

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that require a gradient, by name."""
        return {n: p for n, p in self.module.named_parameters() if p.requires_grad}

    def frozen_fingerprint(self) -> str:
        """Return the SHA-256 of the frozen tensors and of the configuration, without paths.

        Cameras and numbers of joints are part of it, so that two policies that look at different
        things are not taken for one.
        """
        if not self._frozen:
            exchanged = self.trainable()
            frozen = {
                # NumPy has no bfloat16; any 16-bit type shows the same bytes.
                name: (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).cpu().numpy()
                for name, t in self.module.state_dict().items()
                if name not in exchanged
            }
            frozen["config.json"] = np.frombuffer(interface(self.module.config).encode(), np.uint8)
            self._frozen = fingerprint(frozen)
        return self._frozen

    def check(self, schema: DatasetSchema, who: str) -> None:
        """Raise DataError unless `schema`, supplied by `who`, has what the policy takes."""
        check_schema(self.module.config, schema, who)

    def source(
        self, dataset: RobotDataset, episodes: Sequence[int], progress: Progress | None = None
    ) -> "BatchSource":
        """Return the frames of `episodes` as examples, from cached prefixes where that is exact.

        Raises:
            DataError: if there is no episode to use, or the pictures don't match the frames.
        """
        if not episodes:
            raise DataError(f"{dataset.uri}: no episodes to train on")
        config = self.module.config
        chunks = Chunks(dataset, episodes, config.action_delta_indices or [0])
        reason = obstacle(self.module)
        if reason is None:
            frozen = self.frozen_fingerprint()
            cached = prefix_source(self.module, self._pre, dataset, chunks, frozen, progress)
            if cached is not None:
                return cached
        elif self._smolvla or cache_limit():
            logger.warning(
                "{}: its frozen part is not cached: {}; training from pictures, several times "
                "slower",
                dataset.uri,
                reason,
            )
        return self.picture_source(dataset, episodes, progress)

    def picture_source(
        self, dataset: RobotDataset, episodes: Sequence[int], progress: Progress | None = None
    ) -> PictureSource:
        """Return the frames of `episodes` as examples with pictures, decoded once."""
        config = self.module.config
        size = None
        if self._smolvla and config.resize_imgs_with_padding:
            width, height = config.resize_imgs_with_padding
            size = (height, width)
        pictures = {
            camera: Rows([frame_memmap(part, camera, size, progress) for part in parts_of(dataset)])
            for camera in self._cameras
        }
        chunks = Chunks(dataset, episodes, config.action_delta_indices or [0])
        by_step = config.type in _MEAN_OVER_STEPS
        return PictureSource(dataset, chunks, pictures, self._pre, by_step=by_step)

    def loss(self, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Return the mean loss over `batch`, a batch of `source`."""
        if not self._smolvla:
            return self._seeded(generator, lambda: self.module.forward(batch))[0]
        cached = "actions" in batch
        actions = batch["actions"] if cached else batch["action"]
        noise, time = flow_draws(self.module.config, len(actions), generator)
        noise, time = noise.to(self._device), time.to(self._device)
        if cached:
            ready = with_prefix(self.module, batch)
            return cached_loss(self.module, **ready, noise=noise, time=time)
        loss: torch.Tensor = self.module.forward(batch, noise=noise, time=time)[0]
        return loss

    def act(
        self,
        pictures: Mapping[str, Any],
        state: Any,
        tasks: Sequence[str],
        generator: torch.Generator,
    ) -> np.ndarray:
        """Return the next actions, (B, n_action_steps, A) float32, in the dataset's units."""
        used = {camera: pictures[camera] for camera in self._cameras}
        batch = self._pre(observation(used, state, tasks))
        config = self.module.config
        if self._smolvla:
            noise = flow_noise(config, len(tasks), generator) * self._noise_scale
            chunk = self.module.predict_action_chunk(batch, noise=noise.to(self._device))
        else:
            chunk = self._seeded(generator, lambda: self.module.predict_action_chunk(batch))
        steps = getattr(config, "n_action_steps", chunk.shape[1])
        actions: np.ndarray = self._post(chunk[:, :steps]).float().cpu().numpy()
        return actions

    def save(self, folder: Path) -> None:
        """Write policy and processors in LeRobot's format, and SmolVLA's small VLM folder."""
        from zk0_core.lerobot.saving import save_policy

        save_policy(self.module, self._pre, self._post, folder)

    def _seeded(self, generator: torch.Generator, call: Any) -> Any:
        """Return call() with the global generators seeded from `generator`, and then put back."""
        seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
        devices = [torch.device(self._device)] if self._device.startswith("cuda") else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            return call()
