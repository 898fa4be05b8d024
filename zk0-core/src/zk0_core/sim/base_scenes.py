"""Random scenes of the simulated arm with their geometry, to train the frozen base on."""

import functools
import json
import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import attrs
import mujoco
import numpy as np

from zk0_core.cache import cache_folder
from zk0_core.data import Progress
from zk0_core.disk import reserve
from zk0_core.engines.orphans import end_with_parent
from zk0_core.files import build_folder, write_json
from zk0_core.sim.arm import CAMERAS, PICTURE_SIZE, SimulatedArm, draw_colours
from zk0_core.sim.kinematics import InverseKinematics
from zk0_core.sim.scenery import BIN
from zk0_core.sim.setup import COLOURS, LIFT, Setup
from zk0_core.sim.spec import BASE_SCENES

SCENES_VERSION = 4
"""Raise this when scenes change; older ones in caches are then left alone."""

LABELS = 13
"""Named cube (3), grasp point (3), the cube in the gripper's frame (3), jaw angle, approach axis
(3)."""

# Wider than where demonstrations and evaluations have the cube and the gripper, in metres.
_CUBE_AREA = np.array([[0.15, -0.12], [0.32, 0.12]])
_GRIPPER_AREA = np.array([[0.12, -0.15, 0.02], [0.33, 0.15, 0.20]])
_GRIPPER_AREA_WITH_BIN = np.array([[0.12, -0.15, 0.02], [0.33, 0.20, 0.20]])
_IN_BIN = 0.15  # of the scenes that have a bin
_IN_BIN_SPREAD = 0.015  # m from its middle
_APART = 0.05  # m between the middles of two cubes, at least
_ON_TABLE = 0.02  # m, the height of a lying cube's centre
_JAW = (-0.1, 1.6)  # rad
_JOINT_NOISE = 0.08  # rad
_ANGLE_WEIGHT = 0.1  # so that angles and metres are of one size


@attrs.frozen(eq=False)
class BaseScene:
    """What one scene shows, and what there is to tell of it."""

    pictures: np.ndarray  # (cameras, 3, 96, 96) uint8
    labels: np.ndarray  # (LABELS,) float32, metres, but angles and the axis times 0.1
    by_colour: np.ndarray  # (colours, 3) float32, metres: the cube of each colour, NaN for none
    seen_at: np.ndarray
    """(cameras, 2) float32: where each picture shows the named cube's middle, or would if it were
    larger; right and down, in parts of its size. NaN behind the camera."""
    instruction: str
    """What a policy would be told: of several cubes it names the one that the labels are about."""


@attrs.frozen(eq=False)
class BaseScenes:
    """Many scenes, stacked."""

    pictures: np.ndarray  # (scenes, cameras, 3, 96, 96) uint8
    labels: np.ndarray  # (scenes, LABELS) float32
    by_colour: np.ndarray  # (scenes, colours, 3) float32
    seen_at: np.ndarray  # (scenes, cameras, 2) float32
    instructions: Sequence[str]


def rendered(
    scenes: int,
    workers: int = 2,
    progress: Progress | None = None,
    setups: Sequence[Setup] = (LIFT,),
) -> BaseScenes:
    """Return the first `scenes` base scenes, drawn once and kept.

    Args:
        scenes: How many, up to len(BASE_SCENES).
        workers: How many processes draw; with 1, this one does. Does not change a bit.
        progress: Told about drawing.
        setups: What the scenes are of, in turn.

    Raises:
        OSError: if the disk is full.
    """

    def build(folder: Path) -> None:
        shape = (scenes, len(CAMERAS), 3, PICTURE_SIZE, PICTURE_SIZE)
        file = folder / "pictures.npy"
        pictures = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        reserve(file, "pictures of base scenes")
        labels = np.empty((scenes, LABELS), np.float32)
        by_colour = np.empty((scenes, len(COLOURS), 3), np.float32)
        seen_at = np.empty((scenes, len(CAMERAS), 2), np.float32)
        instructions = []
        draw_one = functools.partial(draw, setups=tuple(setups))
        with ExitStack() as stack:
            seeds = BASE_SCENES[:scenes]
            results: Iterable[BaseScene] = map(draw_one, seeds)
            if workers > 1:
                context = multiprocessing.get_context("forkserver")
                pool = stack.enter_context(
                    ProcessPoolExecutor(workers, context, initializer=end_with_parent)
                )
                results = pool.map(draw_one, seeds, chunksize=50)
            for number, scene in enumerate(results):
                pictures[number] = scene.pictures
                labels[number] = scene.labels
                by_colour[number] = scene.by_colour
                seen_at[number] = scene.seen_at
                instructions.append(scene.instruction)
                if progress and (number + 1) % 100 == 0:
                    progress("drawing scenes", number + 1, scenes)
        pictures.flush()
        np.save(folder / "labels.npy", labels)
        np.save(folder / "by_colour.npy", by_colour)
        np.save(folder / "seen_at.npy", seen_at)
        write_json(folder / "instructions.json", instructions)

    kinds = [f"{setup.task}-{setup.colour}" for setup in setups]
    name = "-".join([f"base-v{SCENES_VERSION}-{scenes}", *kinds])
    folder = build_folder(cache_folder("sim", name), build)
    return BaseScenes(
        np.load(folder / "pictures.npy", mmap_mode="r"),
        np.load(folder / "labels.npy"),
        np.load(folder / "by_colour.npy"),
        np.load(folder / "seen_at.npy"),
        json.loads((folder / "instructions.json").read_text(encoding="utf-8")),
    )


@functools.cache
def _arm(setup: Setup) -> SimulatedArm:
    return SimulatedArm(setup)


def draw(seed: int, setups: Sequence[Setup] = (LIFT,)) -> BaseScene:
    """Return one scene; `seed` decides which of `setups` it is of, and all the rest."""
    arm = _arm(setups[seed % len(setups)])
    colours = _arrange(arm, np.random.default_rng(seed))
    views = [arm.picture(camera).transpose(2, 0, 1) for camera in CAMERAS]
    by_colour = np.full((len(COLOURS), 3), np.nan, np.float32)
    by_colour[[list(COLOURS).index(colour) for colour in colours]] = arm.cubes
    nowhere = (np.nan, np.nan)
    seen_at = [arm.place_of(arm.cube, camera, 1) or nowhere for camera in CAMERAS]
    return BaseScene(
        np.stack(views),
        _labels(arm),
        by_colour,
        np.array(seen_at, np.float32),
        arm.instruction,
    )


def _arrange(arm: SimulatedArm, random: np.random.Generator) -> list[str]:
    """Put cubes and gripper somewhere: apart, near each other, or a cube in the gripper.

    Returns:
        The cubes' colours, the named one's first.
    """
    places = _places(arm, random)
    colours = draw_colours(random, arm.setup.colour, len(places))
    arm.place(places, colours)
    data, model = arm.data, arm.model
    # The gripper is as often at a cube that is not named.
    which = int(random.integers(len(places))) if len(places) > 1 else 0
    x, y = places[which]
    cube = arm.cube_addresses[which]
    kind = random.choice(("apart", "near", "held"), p=(0.3, 0.4, 0.3))
    area = _GRIPPER_AREA_WITH_BIN if arm.task.scenery else _GRIPPER_AREA
    target = random.uniform(*area)
    if kind == "near":
        height = 0.01 + abs(random.normal(0, 0.05))
        target = np.array([x, y, _ON_TABLE + height]) + random.normal(0, (0.04, 0.04, 0))

    # The expert's inverse kinematics, and then some noise: the gripper is not always upright.
    angles = InverseKinematics(arm).solve(target) + random.normal(0, _JOINT_NOISE, 5)
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
    return colours


def _places(arm: SimulatedArm, random: np.random.Generator) -> np.ndarray:
    """Return where the cubes lie, (cubes, 2) metres; where there is a bin, the first may be in."""
    places = [random.uniform(*_CUBE_AREA)]
    if arm.task.scenery and random.random() < _IN_BIN:
        places = [BIN.centre + random.uniform(-_IN_BIN_SPREAD, _IN_BIN_SPREAD, 2)]
    while len(places) < arm.task.cubes:
        other = random.uniform(*_CUBE_AREA)
        if all(np.linalg.norm(other - place) > _APART for place in places):
            places.append(other)
    return np.stack(places)


def _labels(arm: SimulatedArm) -> np.ndarray:
    axes = arm.data.site_xmat[arm.gripper_site].reshape(3, 3)
    cube, grasp = arm.cube, arm.grasp_point
    jaw = arm.data.qpos[arm.joint_addresses[5]]
    return np.concatenate(
        [cube, grasp, axes.T @ (cube - grasp), [_ANGLE_WEIGHT * jaw], _ANGLE_WEIGHT * axes[:, 0]]
    ).astype(np.float32)
