"""A LeRobot policy, with its processors, as zk0's `Policy`."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zk0_core.data import DatasetSchema, Progress, RobotDataset, Statistics
from zk0_core.errors import DataError
from zk0_core.lerobot.cached_loss import cached_loss
from zk0_core.lerobot.examples import Chunks, PictureSource, PrefixSource, observation
from zk0_core.lerobot.frames import frame_memmap
from zk0_core.lerobot.prefix_cache import Batch, obstacle, picture_batches, prefix_cache
from zk0_core.lerobot.stats import lerobot_stats
from zk0_core.tensors import Tensors, fingerprint

if TYPE_CHECKING:
    from lerobot.policies.pretrained import PreTrainedPolicy

    from zk0_core.protocols import BatchSource

CHECK_TOLERANCE = 1e-4
"""Relative difference of loss up to which a prefix cache is taken for exact."""

# What a configuration says of places and machines is no part of the policy.
_NOT_POLICY = ("device", "vlm_model_name", "pretrained_path", "pretrained_revision", "repo_id",
               "push_to_hub", "private", "tags", "license", "load_vlm_weights")  # fmt: skip


class LeRobotPolicy:
    """One of LeRobot's policies on one device."""

    def __init__(
        self, module: "PreTrainedPolicy", statistics: Statistics, *, device: str = "cpu"
    ) -> None:
        """Put `module` on `device` and make its processors from `statistics`.

        Raises:
            DataError: if the policy needs statistics that zk0 does not pool, or several
                observations at a time.
        """
        from lerobot.policies.factory import make_pre_post_processors

        config = module.config
        config.device = device
        _check_supported(config)
        self.module = module.to(device)
        self._device = device
        self._cameras = list(config.image_features)
        self._pre, self._post = make_pre_post_processors(
            config, dataset_stats=lerobot_stats(statistics, self._cameras)
        )
        self._smolvla = config.type == "smolvla"
        self._frozen = ""

    def trainable(self) -> dict[str, torch.nn.Parameter]:
        """Return the parameters that require a gradient, by name."""
        return {n: p for n, p in self.module.named_parameters() if p.requires_grad}

    def params(self) -> Tensors:
        """Return copies of the trainable parameters as float32 arrays."""
        return {
            name: param.detach().float().cpu().numpy().copy()
            for name, param in self.trainable().items()
        }

    def load_params(self, tensors: Tensors) -> None:
        """Write `tensors`, as `params` returns them, into the module."""
        with torch.no_grad():
            for name, param in self.trainable().items():
                param.copy_(torch.from_numpy(tensors[name]))

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
            frozen["config.json"] = np.frombuffer(self._interface().encode(), np.uint8)
            self._frozen = fingerprint(frozen)
        return self._frozen

    def _interface(self) -> str:
        """Return the configuration as text, without places, machines and picture sizes."""
        config = self.module.config
        kept = {
            name: value
            for name, value in dataclasses.asdict(config).items()
            if name not in _NOT_POLICY and not name.startswith(("optimizer_", "scheduler_"))
        }
        kept["input_features"] = self._cameras
        kept["output_features"] = {
            name: list(feature.shape)
            for name, feature in {**config.input_features, **config.output_features}.items()
            if name not in self._cameras
        }
        return json.dumps(_floats(kept), sort_keys=True, default=str)

    def check(self, schema: DatasetSchema, who: str) -> None:
        """Raise DataError unless `schema`, supplied by `who`, has what the policy takes."""
        missing = [camera for camera in self._cameras if camera not in schema.cameras]
        spare = [camera for camera in schema.cameras if camera not in self._cameras]
        if missing:
            raise DataError(
                f"{who} has no camera {', '.join(missing)}, which the policy takes; "
                f"it has {', '.join(schema.cameras) or 'none'}; {_remedy(missing, spare)}"
            )
        config = self.module.config
        state = config.robot_state_feature
        for what, names, feature in (
            ("observation.state", schema.state, state),
            ("action", schema.action, config.action_feature),
        ):
            if feature is not None and feature.shape[0] != len(names):
                raise DataError(
                    f"{who} has {len(names)} joints in {what} ({', '.join(names)}), "
                    f"the policy takes {feature.shape[0]}; choose a dataset of the same robot"
                )

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
        if obstacle(self.module) is None:
            cached = self._prefix_source(dataset, chunks, progress)
            if cached is not None:
                return cached
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
            camera: frame_memmap(dataset, camera, size, progress) for camera in self._cameras
        }
        chunks = Chunks(dataset, episodes, config.action_delta_indices or [0])
        return PictureSource(dataset, chunks, pictures, self._pre)

    def loss(self, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Return the mean loss over `batch`, a batch of `source`."""
        if not self._smolvla:
            return self._seeded(generator, lambda: self.module.forward(batch))[0]
        config = self.module.config
        actions = batch["actions"] if "prefix" in batch else batch["action"]
        shape = (len(actions), config.chunk_size, config.max_action_dim)
        noise = torch.randn(shape, generator=generator, device=generator.device)
        time = flow_times(len(actions), generator)
        noise, time = noise.to(self._device), time.to(self._device)
        if "prefix" in batch:
            return cached_loss(self.module, **batch, noise=noise, time=time)
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
            shape = (len(tasks), config.chunk_size, config.max_action_dim)
            noise = torch.randn(shape, generator=generator, device=generator.device)
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

    def _make_batch(self, dataset: RobotDataset) -> Any:
        """Return a function that prepares pictures of frames, without actions."""
        task_of = np.empty(len(dataset.state), dtype=object)
        # Frames between the chosen episodes of a partition have an instruction too, unused.
        task_of[:] = dataset.episodes[0].task
        for episode in dataset.episodes:
            task_of[episode.start : episode.stop] = episode.task
        longest = max((e.task for e in dataset.episodes), key=self._tokens)

        def make(pictures: dict[str, np.ndarray], frames: np.ndarray) -> Batch:
            # One row more, with the longest instruction, so that all batches are padded alike.
            which = np.append(frames, frames[-1])
            tasks = [*task_of[frames].tolist(), longest]
            rows = {
                camera: np.concatenate([views, views[-1:]]).transpose(0, 2, 3, 1)
                for camera, views in pictures.items()
            }
            batch = self._pre(observation(rows, dataset.state[which], tasks))
            return {n: v[:-1] if torch.is_tensor(v) else v for n, v in batch.items()}

        return make

    def _tokens(self, task: str) -> int:
        """Return how many tokens an instruction takes."""
        from lerobot.processor import TokenizerProcessorStep

        step = next(s for s in self._pre.steps if isinstance(s, TokenizerProcessorStep))
        return len(step.input_tokenizer(task)["input_ids"])

    def _prefix_source(
        self, dataset: RobotDataset, chunks: Chunks, progress: Progress | None
    ) -> PrefixSource | None:
        """Return examples from cached prefixes; None, with a warning, where they don't agree."""
        from loguru import logger

        from zk0_core.lerobot.prefix_cache import DiskFull

        make_batch = self._make_batch(dataset)
        mode = self.module.training
        self.module.eval()
        try:
            cache = prefix_cache(
                self.module, dataset, make_batch, self.frozen_fingerprint(), progress
            )
        except DiskFull as error:
            logger.warning("{}; training from pictures, several times slower", error)
            return None
        finally:
            self.module.train(mode)
        state, action = self._normalised(dataset)
        source = PrefixSource(chunks, cache, state, action, self._device)
        plain, cached = self._losses_both_ways(dataset, cache, state, action, make_batch)
        if abs(plain - cached) > CHECK_TOLERANCE * abs(plain):
            logger.warning(
                "{}: loss from cached prefixes is {:.6f}, from pictures {:.6f}; "
                "training from pictures, several times slower",
                dataset.uri,
                cached,
                plain,
            )
            return None
        return source

    def _normalised(self, dataset: RobotDataset) -> tuple[torch.Tensor, torch.Tensor]:
        """Return state and action of all frames, normalised and padded, on the CPU."""
        batch = self._pre(
            {
                "observation.state": torch.from_numpy(dataset.state),
                "action": torch.from_numpy(dataset.action),
                "task": [dataset.episodes[0].task],
            }
        )
        state = self.module.prepare_state(batch)
        return state.cpu(), self.module.prepare_action(batch).cpu()

    @torch.no_grad()
    def _losses_both_ways(
        self,
        dataset: RobotDataset,
        cache: Any,
        state: torch.Tensor,
        action: torch.Tensor,
        make_batch: Any,
    ) -> tuple[float, float]:
        """Return the loss of the dataset's first frames from pictures and from the cache."""
        frames, pictures = next(picture_batches(dataset, self._cameras, 4))
        # Every frame is an episode of its own here: what is compared are prefixes.
        plain_batch = make_batch(pictures, frames)
        steps = self.module.config.chunk_size
        chunk = action[frames][:, None].expand(-1, steps, -1)
        dims = self.module.config.action_feature.shape[0]
        plain_batch["action"] = chunk[..., :dims].to(self._device)
        cached_batch = {
            "prefix": torch.from_numpy(cache.values[frames]).to(self._device).float(),
            "mask": torch.from_numpy(cache.mask[frames]).to(self._device),
            "state": state[frames].to(self._device),
            "actions": chunk.to(self._device),
            "valid": torch.ones(chunk.shape[:2], dtype=torch.bool, device=self._device),
        }
        seeds = (torch.Generator(self._device).manual_seed(0) for _ in range(2))
        return tuple(  # type: ignore[return-value]  # mypy: a generator has no known length
            float(self.loss(batch, seed))
            for batch, seed in zip((plain_batch, cached_batch), seeds, strict=True)
        )


def flow_times(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return `count` times as SmolVLA draws them: Beta(1.5, 1) · 0.999 + 0.001.

    The distribution function of Beta(a, 1) is x**a, whose inverse is u**(1/a).
    """
    uniform = torch.rand(count, generator=generator, device=generator.device)
    return uniform ** (1 / 1.5) * 0.999 + 0.001


def _floats(value: Any) -> Any:
    """Return `value` with whole numbers as floats: a saved configuration reads 10 as 10.0."""
    if isinstance(value, dict):
        return {name: _floats(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(inner) for inner in value]
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_number else value


def _remedy(missing: list[str], spare: list[str]) -> str:
    """Return what would mend missing cameras."""
    if len(spare) < len(missing):
        return 'record it, or name the cameras to use with the option `cameras` of "lerobot"'
    pairs = ", ".join(f'"{s}" = "{m}"' for s, m in zip(spare, missing, strict=False))
    return f"if they show the same, say rename = {{ {pairs} }} for this client"


def _check_supported(config: Any) -> None:
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
