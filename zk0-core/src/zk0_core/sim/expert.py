"""The scripted expert that records the demonstrations: hover, descend, close, lift.

It knows where the cube is, which no policy does. The controller and the inverse kinematics follow
`lerobot-env-so101` (Apache-2.0, `scripted/pick_place.py` and `ik_control.py`), and a test compares
the two; they are written again here because importing that package imports all of LeRobot, and
because its solver runs the whole physics where the arm's kinematics suffice.
"""

import enum

import mujoco
import numpy as np

from zk0_core.sim.arm import SimulatedArm

_HOVER_HEIGHT = 0.07  # m above the cube's centre on the table, as all heights here
_GRASP_HEIGHT = 0.015
_LIFT_HEIGHT = 0.06
_TOLERANCE = 0.004  # m: a phase that moves is over this near to its target
_FULL_STEP = 0.025  # m a control step, along each axis
_CAREFUL_STEP = 0.4 * _FULL_STEP  # beside the cube
_CLOSE_STEPS = 10
_PHASE_TIMEOUT = 60  # control steps
_WORKSPACE = np.array([[0.1, -0.3, 0.0], [0.5, 0.3, 0.4]])  # m
_OPEN, _CLOSED = 100.0, 0.0

_DAMPING = 0.1
_ITERATIONS = 20
_TILT_WEIGHT = 0.1  # m of position error that one radian of tilt counts as
_SOLVED = 1e-4  # m
_DOWN = np.array([0.0, 0.0, -1.0])
_JAW_DIRECTION = np.array([0.0, 1.0, 0.0])  # the jaws close along world y
_APPROACH_AXIS, _JAW_AXIS = 0, 2  # columns of the gripper site's rotation


class Phase(enum.Enum):
    """What the expert is doing."""

    HOVER = enum.auto()
    DESCEND = enum.auto()
    CLOSE = enum.auto()
    LIFT = enum.auto()
    HOLD = enum.auto()


class Expert:
    """Drives one arm; make a new one for every episode, after the arm's reset."""

    def __init__(self, arm: SimulatedArm) -> None:
        """Aim from where the gripper is now."""
        self._arm = arm
        self._scratch = mujoco.MjData(arm.model)
        self.phase = Phase.HOVER
        self._steps_in_phase = 0
        self._table_height = float(arm.cube[2])
        self._target = arm.grasp_point
        self._moved = True

    def action(self) -> np.ndarray:
        """Return the next joint targets, (6,) float32: degrees, and 0 to 100 for the gripper."""
        delta = self._advance()
        moves = bool(np.linalg.norm(delta / _FULL_STEP) >= 1e-6)
        # Coming to rest, the target is where the gripper is, not where it was still heading.
        if not moves and self._moved:
            self._target = self._arm.grasp_point
        self._moved = moves
        self._target = np.clip(self._target + delta, *_WORKSPACE)
        gripper = _OPEN if self.phase in (Phase.HOVER, Phase.DESCEND) else _CLOSED
        angles = self._arm.to_degrees(np.append(self.solve(self._target), 0.0))
        angles[5] = gripper
        return angles

    def _advance(self) -> np.ndarray:
        """Enter the next phase when this one is done; return the step (3,) to take, in metres."""
        while self.phase is not Phase.HOLD:
            if self.phase is Phase.CLOSE:
                step, done = np.zeros(3), self._steps_in_phase >= _CLOSE_STEPS
            else:
                grasp = self._arm.grasp_point
                error = self._phase_target(grasp) - grasp
                done = (
                    bool(np.linalg.norm(error) < _TOLERANCE)
                    or self._steps_in_phase >= _PHASE_TIMEOUT
                )
                longest = _FULL_STEP if self.phase is Phase.HOVER else _CAREFUL_STEP
                step = np.clip(error, -longest, longest)
            if not done:
                self._steps_in_phase += 1
                return step
            self.phase = Phase(self.phase.value + 1)
            self._steps_in_phase = 0
        # Keep rising a little while the hold is counted.
        return np.array([0.0, 0.0, 0.3 * _FULL_STEP])

    def _phase_target(self, grasp: np.ndarray) -> np.ndarray:
        """Return where the grasp point (3,) should go in this phase."""
        cube = self._arm.cube
        if self.phase is Phase.HOVER:
            return np.array([cube[0], cube[1], self._table_height + _HOVER_HEIGHT])
        if self.phase is Phase.DESCEND:
            return np.array([cube[0], cube[1], self._table_height + _GRASP_HEIGHT])
        return np.array([grasp[0], grasp[1], self._table_height + _GRASP_HEIGHT + _LIFT_HEIGHT])

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
