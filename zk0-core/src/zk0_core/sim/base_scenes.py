"""Random scenes of the simulated arm with their geometry, to train the frozen base on."""

import functools
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import mujoco
import numpy as np

from zk0_core.cache import cache_folder
from zk0_core.data import Progress
from zk0_core.engines.orphans import end_with_parent
from zk0_core.files import build_folder
from zk0_core.sim.arm import CAMERAS, PICTURE_SIZE, SimulatedArm
from zk0_core.sim.expert import Expert
from zk0_core.sim.spec import BASE_SCENES

SCENES_VERSION = 1
"""Raise this when scenes change; older ones in caches are then left alone."""

LABELS = 13
"""Cube (3), grasp point (3), cube in the gripper's frame (3), jaw angle, approach axis (3)."""

# Wider than where demonstrations and evaluations have the cube and the gripper, in metres.
_CUBE_AREA = np.array([[0.15, -0.12], [0.32, 0.12]])
_GRIPPER_AREA = np.array([[0.12, -0.15, 0.02], [0.33, 0.15, 0.20]])
_ON_TABLE = 0.02  # m, the height of a lying cube's centre
_JAW = (-0.1, 1.6)  # rad
_JOINT_NOISE = 0.08  # rad
_ANGLE_WEIGHT = 0.1  # so that angles and metres are of one size


def rendered(
    scenes: int, workers: int = 2, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures and labels of the first `scenes` base scenes, drawn once and kept.

    Args:
        scenes: How many, up to len(BASE_SCENES).
        workers: How many processes draw; with 1, this one does. Does not change a bit.
        progress: Told about drawing.

    Returns:
        (scenes, cameras, 3, 96, 96) uint8, and (scenes, LABELS) float32, in metres but for
        angles and the axis, which are times 0.1.
    """

    def build(folder: Path) -> None:
        shape = (scenes, len(CAMERAS), 3, PICTURE_SIZE, PICTURE_SIZE)
        pictures = np.lib.format.open_memmap(
            folder / "pictures.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        labels = np.empty((scenes, LABELS), np.float32)
        with ExitStack() as stack:
            seeds = BASE_SCENES[:scenes]
            results: Iterable[tuple[np.ndarray, np.ndarray]] = map(draw, seeds)
            if workers > 1:
                context = multiprocessing.get_context("forkserver")
                pool = stack.enter_context(
                    ProcessPoolExecutor(workers, context, initializer=end_with_parent)
                )
                results = pool.map(draw, seeds, chunksize=50)
            for number, (views, label) in enumerate(results):
                pictures[number] = views
                labels[number] = label
                if progress and (number + 1) % 100 == 0:
                    progress("drawing scenes", number + 1, scenes)
        pictures.flush()
        np.save(folder / "labels.npy", labels)

    folder = build_folder(cache_folder("sim", f"base-v{SCENES_VERSION}-{scenes}"), build)
    return np.load(folder / "pictures.npy", mmap_mode="r"), np.load(folder / "labels.npy")


@functools.cache
def _arm() -> SimulatedArm:
    return SimulatedArm()


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures, (cameras, 3, 96, 96) uint8, and the labels of one scene."""
    arm = _arm()
    _arrange(arm, np.random.default_rng(seed))
    views = [arm.picture(camera).transpose(2, 0, 1) for camera in CAMERAS]
    return np.stack(views), _labels(arm)


def _arrange(arm: SimulatedArm, random: np.random.Generator) -> None:
    """Put cube and gripper somewhere: apart, near each other, or the one in the other."""
    x, y = random.uniform(*_CUBE_AREA)
    arm.place(float(x), float(y))
    data, model = arm.data, arm.model
    cube = model.joint("block").qposadr[0]
    kind = random.choice(("apart", "near", "held"), p=(0.3, 0.4, 0.3))
    target = random.uniform(*_GRIPPER_AREA)
    if kind == "near":
        height = 0.01 + abs(random.normal(0, 0.05))
        target = np.array([x, y, _ON_TABLE + height]) + random.normal(0, (0.04, 0.04, 0))

    # The expert's inverse kinematics, and then some noise: the gripper is not always upright.
    angles = Expert(arm).solve(target) + random.normal(0, _JOINT_NOISE, 5)
    jaw = random.uniform(0.2, 0.6) if kind == "held" else random.uniform(*_JAW)
    data.qpos[arm.joint_addresses] = np.append(angles, jaw)
    mujoco.mj_forward(model, data)

    yaw = random.normal(0, 0.2)
    place = np.array([x, y, _ON_TABLE])
    if kind == "held":
        place = arm.grasp_point + random.normal(0, 0.006, 3)
        place[2] = max(place[2], _ON_TABLE)
    data.qpos[cube : cube + 3] = place
    data.qpos[cube + 3 : cube + 7] = (np.cos(yaw / 2), 0, 0, np.sin(yaw / 2))
    mujoco.mj_forward(model, data)


def _labels(arm: SimulatedArm) -> np.ndarray:
    axes = arm.data.site_xmat[arm.gripper_site].reshape(3, 3)
    cube, grasp = arm.cube, arm.grasp_point
    jaw = arm.data.qpos[arm.joint_addresses[5]]
    return np.concatenate(
        [cube, grasp, axes.T @ (cube - grasp), [_ANGLE_WEIGHT * jaw], _ANGLE_WEIGHT * axes[:, 0]]
    ).astype(np.float32)
