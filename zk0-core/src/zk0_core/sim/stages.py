"""Stages that the experts of several tasks go through."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from zk0_core.sim.scenery import BIN

if TYPE_CHECKING:
    from zk0_core.sim.arm import SimulatedArm

OPEN, CLOSED = 100.0, 0.0
FULL_STEP = 0.025
"""Metres a control step, along each axis."""
CAREFUL_STEP = 0.4 * FULL_STEP
"""Beside the cube."""

_HOVER_HEIGHT = 0.07  # m above the cube's centre on the table, as all heights here
_GRASP_HEIGHT = 0.015
_LIFT_HEIGHT = 0.06
_RELEASE_HEIGHT = 0.025  # the cube hangs a centimetre over the bin's bottom
_CLOSE_STEPS = 10
_OPEN_STEPS = 4


@attrs.frozen
class Stage:
    """One leg of an expert's way: go somewhere, or stay for some steps."""

    name: str
    gripper: float
    """What the gripper is told, 0 (closed) to 100 (open)."""
    target: "Callable[[SimulatedArm], np.ndarray] | None" = None
    """Where the grasp point should go, (3,) metres; None to stay."""
    longest: float = FULL_STEP
    """The longest move, metres a control step along each axis."""
    within: float = 0.004
    """Metres: it is over this near to its target. What need not be exact saves time here."""
    steps: int = 0
    """How many control steps to stay."""
    holding: bool = False
    """Whether the cube must be held; who has lost it starts over."""


def _over_cube(height: float) -> "Callable[[SimulatedArm], np.ndarray]":
    def target(arm: "SimulatedArm") -> np.ndarray:
        cube = arm.cube
        return np.array([cube[0], cube[1], arm.table_height + height])

    return target


def _over_bin(height: float) -> "Callable[[SimulatedArm], np.ndarray]":
    def target(arm: "SimulatedArm") -> np.ndarray:
        return np.array([*BIN.centre, arm.table_height + height])

    return target


def _straight_up(arm: "SimulatedArm") -> np.ndarray:
    grasp = arm.grasp_point
    return np.array([grasp[0], grasp[1], arm.table_height + _GRASP_HEIGHT + _LIFT_HEIGHT])


PICK = (
    Stage("hover", OPEN, _over_cube(_HOVER_HEIGHT)),
    Stage("descend", OPEN, _over_cube(_GRASP_HEIGHT), CAREFUL_STEP),
    Stage("close", CLOSED, steps=_CLOSE_STEPS),
    Stage("lift", CLOSED, _straight_up, CAREFUL_STEP),
)
"""The cube is taken and lifted."""

PICK_SOON = (
    attrs.evolve(PICK[0], within=0.008),
    attrs.evolve(PICK[1], within=0.006),
    *PICK[2:],
)
"""The same, less exactly: a disturbed arm is there sooner, and may have to start over."""

PUT_INTO_BIN = (
    Stage("carry", CLOSED, _over_bin(_GRASP_HEIGHT + _LIFT_HEIGHT), within=0.015, holding=True),
    Stage("lower", CLOSED, _over_bin(_RELEASE_HEIGHT), CAREFUL_STEP, within=0.01, holding=True),
    Stage("release", OPEN, steps=_OPEN_STEPS),
)
"""A cube that is held goes into the bin."""
