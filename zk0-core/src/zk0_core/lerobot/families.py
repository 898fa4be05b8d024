"""How policies come to be: the tiny SmolVLA from its shipped base, others from a folder or Hub."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zk0_core.errors import DataError, UsageError
from zk0_core.lerobot.hub import TOKEN
from zk0_core.lerobot.saving import VLM
from zk0_core.lerobot.tiny_vlm import IMAGE_SIZE, MAX_TOKENS, base_folder, load_base
from zk0_core.secrets import secret
from zk0_core.seeds import derive_seed

# Plans ask families for their defaults, and must not wait for torch.
if TYPE_CHECKING:
    import torch
    from lerobot.configs import PreTrainedConfig

    from zk0_core.data import DatasetSchema, Statistics
    from zk0_core.lerobot.policies import LeRobotPolicy


class TinySmolVLAFamily:
    """SmolVLA of the real architecture with 3.7 million parameters, 1.2 million of them trained."""

    default_lr = 1e-3
    default_batch_size = 32

    def __init__(
        self,
        chunk_size: int = 16,
        n_action_steps: int = 8,
        noise_scale: float = 0.0,
        base: str = "lift",
    ) -> None:
        """Remember the options.

        Args:
            chunk_size: Actions predicted at a time.
            n_action_steps: How many of them are executed.
            noise_scale: What the flow's noise is multiplied with when acting.
            base: See `tiny_vlm.base_folder`.

        Raises:
            UsageError: if more is executed than predicted, or there is no such base.
        """
        if n_action_steps > chunk_size:
            raise UsageError(
                f"policy.n_action_steps is {n_action_steps}, more than policy.chunk_size "
                f"{chunk_size}; the chunk is what can be executed at most"
            )
        self._chunk_size = chunk_size
        self._n_action_steps = n_action_steps
        self._noise_scale = noise_scale
        self._base = base_folder(base)

    def load(
        self, schema: "DatasetSchema", statistics: "Statistics", *, seed: int, device: str
    ) -> "LeRobotPolicy":
        """Return the policy for `schema`; the expert's weights are drawn from `seed`.

        Raises:
            DataError: if the schema has no camera or more joints than the policy takes.
        """
        import torch
        from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig
        from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

        from zk0_core.lerobot.policies import LeRobotPolicy

        inputs, outputs = policy_features(schema)
        config = SmolVLAConfig(
            input_features=inputs,
            output_features=outputs,
            device="cpu",
            push_to_hub=False,
            vlm_model_name=str(self._base),
            load_vlm_weights=False,
            resize_imgs_with_padding=(IMAGE_SIZE, IMAGE_SIZE),
            num_vlm_layers=4,
            expert_width_multiplier=0.75,
            chunk_size=self._chunk_size,
            n_action_steps=self._n_action_steps,
            max_state_dim=max(8, len(schema.state)),
            max_action_dim=max(8, len(schema.action)),
            num_steps=10,
            tokenizer_max_length=MAX_TOKENS,
        )
        # New weights are drawn on the CPU, so that they are the same whatever trains them.
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(derive_seed(seed, "policy"))
            module = SmolVLAPolicy(config)
        load_base(module.model.vlm_with_expert.vlm, self._base)
        return LeRobotPolicy(module, statistics, device=device, noise_scale=self._noise_scale)


class LeRobotFamily:
    """Any policy saved in LeRobot's format, from a folder or the Hub."""

    default_lr = 1e-4
    default_batch_size = 64

    def __init__(self, path: str, cameras: Sequence[str] = (), noise_scale: float = 1.0) -> None:
        """Remember the options.

        Args:
            path: A folder, or a Hub id such as `lerobot/smolvla_base`.
            cameras: Which of the policy's cameras to use; empty for all.
            noise_scale: What SmolVLA's noise is multiplied by when it acts, 0 to 1.
        """
        self._path = path
        self._noise_scale = noise_scale
        self._cameras = cameras

    def load(
        self, schema: "DatasetSchema", statistics: "Statistics", *, seed: int, device: str
    ) -> "LeRobotPolicy":
        """Return the policy as it was saved; `seed` draws nothing.

        Raises:
            UsageError: if there is no policy at the path, or it has not the cameras to use.
        """
        import torch
        from lerobot.policies.factory import get_policy_class

        from zk0_core.lerobot.policies import LeRobotPolicy

        config = self._config()
        config.device = "cpu"
        self._choose_cameras(config)
        _, config.output_features = policy_features(schema)
        vlm = Path(self._path) / VLM
        if vlm.is_dir():
            # The path inside the configuration is that of where it was saved.
            config.vlm_model_name = str(vlm.absolute())
        if hasattr(config, "load_vlm_weights"):
            config.load_vlm_weights = False  # they are in the policy's own file
        if hasattr(config, "pretrained_backbone_weights"):
            config.pretrained_backbone_weights = None  # likewise
        cls = get_policy_class(config.type)
        with torch.random.fork_rng(devices=[]), quiet():
            torch.manual_seed(derive_seed(seed, "policy"))
            module = cls(config)
        self._load_weights(module)
        _widen(module)
        return LeRobotPolicy(module, statistics, device=device, noise_scale=self._noise_scale)

    def _load_weights(self, module: "torch.nn.Module") -> None:
        """Read the weights; LeRobot's own loading leaves those that are missing at random."""
        from huggingface_hub import hf_hub_download
        from loguru import logger
        from safetensors.torch import load_model

        folder = Path(self._path)
        name = "model.safetensors"
        if folder.is_dir():
            file = folder / name
        else:
            file = Path(hf_hub_download(self._path, name, token=secret(TOKEN)))
        if not file.is_file():
            raise UsageError(f"policy.path {self._path}: {name} is missing; copy the policy again")
        missing, unknown = load_model(module, file, strict=False)
        if missing:
            raise UsageError(
                f"policy.path {self._path}: {name} lacks {len(missing)} tensors of the policy, "
                f"{sorted(missing)[0]} first; it was saved by another version of LeRobot"
            )
        if unknown:
            logger.warning(
                "{}: {} tensors of {} are not used, {} first",
                self._path,
                len(unknown),
                name,
                sorted(unknown)[0],
            )

    def _config(self) -> "PreTrainedConfig":
        import lerobot.policies  # noqa: F401  # registers the kinds of policy
        from lerobot.configs import PreTrainedConfig

        folder = Path(self._path)
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise UsageError(
                f"policy.path {self._path}: config.json is missing; "
                "give the folder that holds config.json and model.safetensors"
            )
        try:
            return PreTrainedConfig.from_pretrained(self._path, token=secret(TOKEN))
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise UsageError(
                f"policy.path {self._path!r} is neither a folder with a LeRobot policy nor a "
                f"model on the Hub that can be reached: {reason}"
            ) from error

    def _choose_cameras(self, config: Any) -> None:
        if not self._cameras:
            return
        has = list(config.image_features)
        for camera in self._cameras:
            if camera not in has:
                raise UsageError(
                    f"policy.cameras: {self._path} has no camera {camera!r}; it has "
                    f"{', '.join(has) or 'none'}"
                )
        config.input_features = {
            name: feature
            for name, feature in config.input_features.items()
            if name not in has or name in self._cameras
        }


def _widen(module: "torch.nn.Module") -> None:
    """Have what is trained in float32: of bfloat16's 8 bits, most steps of AdamW would be lost.

    SmolVLA's expert takes its type from the configuration of the vision-language model.
    """
    for param in module.parameters():
        if param.requires_grad:
            param.data = param.data.float()


def policy_features(schema: "DatasetSchema") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return LeRobot's input and output features for `schema`, cameras in order of name."""
    from lerobot.configs import FeatureType, PolicyFeature

    if not schema.cameras:
        raise DataError("the dataset has no camera; the policy needs one at least")
    inputs = {
        camera: PolicyFeature(type=FeatureType.VISUAL, shape=(channels, height, width))
        for camera, (height, width, channels) in sorted(schema.cameras.items())
    }
    inputs["observation.state"] = PolicyFeature(type=FeatureType.STATE, shape=(len(schema.state),))
    action = PolicyFeature(type=FeatureType.ACTION, shape=(len(schema.action),))
    return inputs, {"action": action}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what LeRobot prints while loading to the debug log: stdout may be somebody's JSON."""
    from loguru import logger

    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        for line in printed.getvalue().splitlines():
            logger.debug("lerobot: {}", line)
