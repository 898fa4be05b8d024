r"""The simulated arm as a LeRobot environment, type zk0_so101.

    lerobot-eval --env.discover_packages_path=zk0_core.sim.env --env.type=zk0_so101 \
        --policy.path=FOLDER --eval.n_episodes=20 --eval.batch_size=1

`--env.task=sort` is another task; the other options are those of `sim:` addresses.

A package rather than a module, because LeRobot looks for modules inside what it discovers.
"""

from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.envs.configs import EnvConfig
from lerobot.utils.constants import ACTION, OBS_IMAGES, OBS_STATE

from zk0_core.sim.arm import CAMERAS, FPS, JOINTS, PICTURE_SIZE, SimulatedArm
from zk0_core.sim.spec import EVALUATION_STARTS, SETUP_OPTIONS, SimSpec
from zk0_core.sim.tasks import TASKS

ENV_TYPE = "zk0_so101"


class SimulatedArmEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """One episode of a task, with the names that LeRobot's evaluation looks for.

    Observations: `pixels` by camera, uint8 (96, 96, 3), and `agent_pos`, float32 (6,). Actions:
    float32 (6,). Both in degrees, gripper 0 to 100. The reward is 1 on success, else 0.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": FPS}  # noqa: RUF012  # gymnasium's

    def __init__(
        self, task: str = "lift", render_mode: str = "rgb_array", **options: str | int
    ) -> None:
        """Make an arm.

        Args:
            task: One of zk0_core.sim.tasks.TASKS.
            render_mode: What gymnasium asks for.
            options: Region, colour, camera and light, as fields of SimSpec.

        Raises:
            DataError: if there is no such task, or an option has a value that it cannot have.
        """
        spec = SimSpec(task=task, **options)  # type: ignore[arg-type]  # it checks them
        self.render_mode = render_mode
        self.task = task
        self._max_episode_steps = TASKS[task].max_steps
        self._region = spec.region
        self.arm = SimulatedArm(spec.setup)
        picture = spaces.Box(0, 255, (PICTURE_SIZE, PICTURE_SIZE, 3), np.uint8)
        self.observation_space = spaces.Dict(
            {
                "pixels": spaces.Dict({camera: picture for camera in CAMERAS}),
                "agent_pos": spaces.Box(-np.inf, np.inf, (len(JOINTS),), np.float32),
            }
        )
        self.action_space = spaces.Box(-180, 180, (len(JOINTS),), np.float32)

    @property
    def task_description(self) -> str:
        """The sentence that the policy is told in this episode."""
        return self.arm.instruction

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start evaluation start `seed`, wrapped around to those there are; None draws one."""
        super().reset(seed=seed)
        starts = len(EVALUATION_STARTS)
        index = int(self.np_random.integers(starts)) if seed is None else seed % starts
        self.arm.reset(EVALUATION_STARTS[index], self._region)
        return self._observation(), {"is_success": False}

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Drive the arm for a tenth of a second."""
        self.arm.step(action)
        success = self.arm.success
        truncated = self.arm.finished and not success
        return (self._observation(), float(success), success, truncated, {"is_success": success})

    def render(self) -> np.ndarray:
        """Return a picture for people, uint8 (192, 192, 3)."""
        return self.arm.picture("front", 2 * PICTURE_SIZE)

    def _observation(self) -> dict[str, Any]:
        pixels = {camera: self.arm.picture(camera) for camera in CAMERAS}
        return {"pixels": pixels, "agent_pos": self.arm.joints()}


@EnvConfig.register_subclass(ENV_TYPE)
@dataclass
class SimulatedArmEnvConfig(EnvConfig):
    """LeRobot's description of the simulated arm; its options are those of `sim:` addresses."""

    task: str | None = "lift"
    fps: int = FPS
    region: str = "all"
    colour: str | None = None
    """None is the task's usual one."""
    camera_x: int = 0
    camera_y: int = 0
    camera_z: int = 0
    light: int = 100
    light_turn: int = 0
    features: dict[str, PolicyFeature] = field(
        default_factory=lambda: {
            ACTION: PolicyFeature(FeatureType.ACTION, (len(JOINTS),)),
            "agent_pos": PolicyFeature(FeatureType.STATE, (len(JOINTS),)),
            **{
                f"pixels/{camera}": PolicyFeature(
                    FeatureType.VISUAL, (PICTURE_SIZE, PICTURE_SIZE, 3)
                )
                for camera in CAMERAS
            },
        }
    )
    features_map: dict[str, str] = field(
        default_factory=lambda: {
            ACTION: ACTION,
            "agent_pos": OBS_STATE,
            **{f"pixels/{camera}": f"{OBS_IMAGES}.{camera}" for camera in CAMERAS},
        }
    )

    @property
    def package_name(self) -> str:
        """The namespace of the gymnasium ids below."""
        return ENV_TYPE

    @property
    def gym_kwargs(self) -> dict[str, Any]:
        """What SimulatedArmEnv is made with, beside its task."""
        options = {name: getattr(self, name) for name in ("region", *SETUP_OPTIONS)}
        return {name: value for name, value in options.items() if value is not None}


for _task in TASKS.values():
    gymnasium.register(
        id=f"{ENV_TYPE}/{_task.name}",
        entry_point="zk0_core.sim.env:SimulatedArmEnv",
        max_episode_steps=_task.max_steps,
        kwargs={"task": _task.name},
    )
