"""`push`: the cube lies beyond the line, and got there along the table."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zk0_core.sim.scenery import LINE_X, MARKED_TABLE
from zk0_core.sim.stages import CAREFUL_STEP, Stage
from zk0_core.sim.task import Task, one_cube

if TYPE_CHECKING:
    from zk0_core.sim.arm import SimulatedArm

_FORK = 20.0  # of 100: two fingertips less than a cube apart push it straight
_BEHIND = 0.045  # m from the grasp point to the cube's centre, before it is pushed
_HOVER_HEIGHT = 0.07  # m above the cube's centre on the table
_PUSH_HEIGHT = 0.005
_PUSH_STEP = 0.0125  # m a control step
_FLAT = 0.01  # m: a cube this high over where it lay is carried, not pushed


def _instruction(colour: str) -> str:
    return f"Push the {colour} cube over the line"


def _done(arm: "SimulatedArm") -> bool:
    cube = arm.cube
    return bool(cube[0] > LINE_X and cube[2] - arm.table_height < _FLAT)


def _behind(height: float) -> "Callable[[SimulatedArm], np.ndarray]":
    def target(arm: "SimulatedArm") -> np.ndarray:
        cube = arm.cube
        return np.array([cube[0] - _BEHIND, cube[1], arm.table_height + height])

    return target


def _over_the_line(arm: "SimulatedArm") -> np.ndarray:
    # Steered by the cube's middle, or the cube would turn away.
    return np.array([LINE_X, arm.cube[1], arm.table_height + _PUSH_HEIGHT])


TASK = Task(
    name="push",
    instruction=_instruction,
    done=_done,
    stages=(
        Stage("go behind", _FORK, _behind(_HOVER_HEIGHT), within=0.015),
        Stage("descend", _FORK, _behind(_PUSH_HEIGHT), CAREFUL_STEP, within=0.01),
        Stage("push", _FORK, _over_the_line, _PUSH_STEP),
    ),
    max_steps=100,
    arrange=one_cube,
    scenery=MARKED_TABLE,
)
