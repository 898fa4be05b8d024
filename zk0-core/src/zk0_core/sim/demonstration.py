"""One demonstration: the expert does its task while the arm is disturbed.

The disturbance shows the policy how to come back from where its own errors will take it; what is
recorded as the action is what the expert wanted, not the disturbed target (Laskey et al. 2017,
"DART").
"""

import functools
from collections.abc import Iterator

import attrs
import numpy as np

from zk0_core.seeds import derive_seed
from zk0_core.sim.arm import CAMERAS, SimulatedArm
from zk0_core.sim.expert import Expert
from zk0_core.sim.setup import Setup

_NOISE_MEMORY = 0.7  # of the last step's noise, first-order autoregressive
# Degrees; none on the gripper, since that costs the learnt policy most of its success.
_NOISE = np.array([1.5, 1.5, 1.5, 1.5, 1.5, 0.0])


@attrs.frozen(eq=False)
class Demonstration:
    """A successful episode of T frames."""

    instruction: str
    states: np.ndarray  # (T, 6) float32, measured joints before each action
    actions: np.ndarray  # (T, 6) float32, what the expert wanted
    pictures: dict[str, np.ndarray]  # camera to (T, 96, 96, 3) uint8

    def frames(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield each frame under LeRobot's names."""
        for index, (state, action) in enumerate(zip(self.states, self.actions, strict=True)):
            pictures = {
                f"observation.images.{camera}": pictures[index]
                for camera, pictures in self.pictures.items()
            }
            yield {"observation.state": state, "action": action, **pictures}


@functools.cache
def _arm(setup: Setup) -> SimulatedArm:
    """Return this process's arm."""
    return SimulatedArm(setup)


def demonstrate(
    setup: Setup, region: str, seed: int, *, disturbed: bool = True
) -> Demonstration | None:
    """Return the expert's demonstration of the scene `seed`, or None if it failed."""
    arm = _arm(setup)
    arm.reset(seed, region)
    expert = Expert(arm)
    random = np.random.default_rng(derive_seed(seed, "recording noise"))
    noise: np.ndarray = np.zeros(6)
    states, actions, poses = [], [], []
    while not arm.finished:
        states.append(arm.joints())
        poses.append(arm.poses())
        actions.append(expert.action())
        if disturbed:
            noise = _NOISE_MEMORY * noise + random.normal(0, _NOISE)
        arm.step(actions[-1] + noise)
    if not arm.success:
        return None
    # Drawn only now, since a failed attempt needs no pictures.
    pictures = {
        camera: np.stack([arm.picture_of(pose, camera) for pose in poses]) for camera in CAMERAS
    }
    return Demonstration(arm.instruction, np.stack(states), np.stack(actions), pictures)
