"""Inverse kinematics of the simulated arm: the gripper somewhere, pointing down.

The solver follows `lerobot-env-so101` (Apache-2.0, `ik_control.py`), and a test compares the two;
it is written again here because importing that package imports all of LeRobot, and because its
solver runs the whole physics where the arm's kinematics suffice.
"""

import mujoco
import numpy as np

from zk0_core.sim.arm import SimulatedArm

_DAMPING = 0.1
_ITERATIONS = 20
_TILT_WEIGHT = 0.1  # m of position error that one radian of tilt counts as
_SOLVED = 1e-4  # m
_DOWN = np.array([0.0, 0.0, -1.0])
_JAW_DIRECTION = np.array([0.0, 1.0, 0.0])  # the jaws close along world y
_APPROACH_AXIS, _JAW_AXIS = 0, 2  # columns of the gripper site's rotation


class InverseKinematics:
    """Solves for the joints of one arm, from where that arm is now."""

    def __init__(self, arm: SimulatedArm) -> None:
        """Prepare to solve for `arm`; its state is only read."""
        self._arm = arm
        self._scratch = mujoco.MjData(arm.model)

    def solve(self, target: np.ndarray) -> np.ndarray:
        """Return five joint angles (rad) that put the grasp point at `target`, pointing down.

        Levenberg-Marquardt on three rows of position and two of tilt.
        """
        arm, scratch = self._arm, self._scratch
        addresses = arm.joint_addresses[:5]
        columns = arm.model.jnt_dofadr[arm.model.actuator_trnid[arm.actuators[:5], 0]]
        low, high = arm.limits[:5].T
        scratch.qpos[:] = arm.data.qpos
        angles = arm.data.qpos[addresses].copy()
        angles[4] = np.clip(angles[4] + self._roll_to_jaw_direction(), low[4], high[4])
        for _ in range(_ITERATIONS):
            scratch.qpos[addresses] = angles
            mujoco.mj_kinematics(arm.model, scratch)
            mujoco.mj_comPos(arm.model, scratch)
            error, jacobian = self._error_and_jacobian(target, columns)
            if np.linalg.norm(error) < _SOLVED:
                break
            normal = jacobian.T @ jacobian + _DAMPING * np.eye(5)
            angles = np.clip(angles + np.linalg.solve(normal, jacobian.T @ error), low, high)
        return angles

    def _roll_to_jaw_direction(self) -> float:
        """Return the turn of the wrist (rad) that lets the jaws close along world y."""
        data = self._arm.data
        hinge = data.xaxis[self._arm.model.joint("wrist_roll").id]
        jaw = data.site_xmat[self._arm.gripper_site].reshape(3, 3)[:, _JAW_AXIS]
        current = jaw - (jaw @ hinge) * hinge
        wanted = _JAW_DIRECTION - (_JAW_DIRECTION @ hinge) * hinge
        return float(np.arctan2(np.cross(current, wanted) @ hinge, current @ wanted))

    def _error_and_jacobian(
        self, target: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the task error (5,) of the scratch state and its Jacobian (5, 5)."""
        model, data, site = self._arm.model, self._scratch, self._arm.gripper_site
        axes = data.site_xmat[site].reshape(3, 3)
        point = data.site_xpos[site] + axes @ self._arm.grasp_offset
        linear, angular = np.zeros((3, model.nv)), np.zeros((3, model.nv))
        mujoco.mj_jac(model, data, linear, angular, point, model.site_bodyid[site])
        approach = axes[:, _APPROACH_AXIS]
        rotation = np.cross(approach, _DOWN)
        sine = np.linalg.norm(rotation)
        if sine > 1e-9:
            # The rotation vector, so that the error keeps growing past 90 degrees.
            rotation *= np.arctan2(sine, approach @ _DOWN) / sine
        # Rotation about the approach axis itself is free: five joints cannot hold it.
        tangent = _TILT_WEIGHT * np.delete(axes, _APPROACH_AXIS, axis=1).T
        error = np.concatenate([target - point, tangent @ rotation])
        return error, np.vstack([linear[:, columns], tangent @ angular[:, columns]])
