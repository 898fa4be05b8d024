"""The scripted expert that records the demonstrations: it goes through the stages of a task.

It knows where everything is, which no policy does. The controller follows `lerobot-env-so101`
(Apache-2.0, `scripted/pick_place.py`), and a test compares the two.
"""

import numpy as np

from zk0_core.sim.arm import SimulatedArm
from zk0_core.sim.kinematics import InverseKinematics
from zk0_core.sim.stages import FULL_STEP

_STAGE_TIMEOUT = 60  # control steps
_RISE = 0.3 * FULL_STEP  # a control step, once all is done
_WORKSPACE = np.array([[0.1, -0.3, 0.0], [0.5, 0.3, 0.4]])  # m


class Expert:
    """Drives one arm through its task; make a new one for every episode, after the arm's reset."""

    def __init__(self, arm: SimulatedArm) -> None:
        """Aim from where the gripper is now."""
        self._arm = arm
        self._kinematics = InverseKinematics(arm)
        self._stages = arm.task.stages
        self._current = 0
        self._steps_in_stage = 0
        self._target = arm.grasp_point
        self._moved = True

    @property
    def stage(self) -> str:
        """The name of what it is doing; "done" when there is nothing left to do."""
        finished = self._current == len(self._stages)
        return "done" if finished else self._stages[self._current].name

    def action(self) -> np.ndarray:
        """Return the next joint targets, (6,) float32: degrees, and 0 to 100 for the gripper."""
        delta = self._advance()
        moves = bool(np.linalg.norm(delta / FULL_STEP) >= 1e-6)
        # Coming to rest, the target is where the gripper is, not where it was still heading.
        if not moves and self._moved:
            self._target = self._arm.grasp_point
        self._moved = moves
        self._target = np.clip(self._target + delta, *_WORKSPACE)
        stage = self._stages[min(self._current, len(self._stages) - 1)]
        angles = self._arm.to_degrees(np.append(self._kinematics.solve(self._target), 0.0))
        angles[5] = stage.gripper
        return angles

    def _advance(self) -> np.ndarray:
        """Enter the next stage when this one is done; return the step (3,) to take, in metres."""
        while self._current < len(self._stages):
            stage = self._stages[self._current]
            if stage.holding and not self._arm.grasped:
                self._enter(0)
                continue
            if stage.target is None:
                step, done = np.zeros(3), self._steps_in_stage >= stage.steps
            else:
                grasp = self._arm.grasp_point
                error = stage.target(self._arm) - grasp
                done = (
                    bool(np.linalg.norm(error) < stage.within)
                    or self._steps_in_stage >= _STAGE_TIMEOUT
                )
                step = np.clip(error, -stage.longest, stage.longest)
            if not done:
                self._steps_in_stage += 1
                return step
            self._enter(self._current + 1)
        # Keep rising a little while the success is counted.
        return np.array([0.0, 0.0, _RISE])

    def _enter(self, stage: int) -> None:
        self._current = stage
        self._steps_in_stage = 0
