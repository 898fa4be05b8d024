"""`sort`: of two cubes, the one whose colour is named lies in the bin, and the other does not."""

from typing import TYPE_CHECKING

import numpy as np

from zk0_core.sim.scenery import BIN, MARKED_TABLE
from zk0_core.sim.stages import PICK_SOON, PUT_INTO_BIN
from zk0_core.sim.task import Corner, Task

if TYPE_CHECKING:
    from zk0_core.sim.arm import SimulatedArm

_ROW = 0.03  # m, how deep each of the two rows is that the cubes lie in


def _instruction(colour: str) -> str:
    return f"Put the {colour} cube into the bin"


def _done(arm: "SimulatedArm") -> bool:
    named, other = (BIN.holds(cube) for cube in arm.cubes)
    return named and not other and not arm.grasped


def _two_rows(random: np.random.Generator, low: Corner, high: Corner) -> np.ndarray:
    """Return two places (2, 2): one cube near, one far, so that the open jaws fit between."""
    near = random.uniform(low, (low[0] + _ROW, high[1]))
    far = random.uniform((high[0] - _ROW, low[1]), high)
    return np.stack([near, far] if random.random() < 0.5 else [far, near])


TASK = Task(
    name="sort",
    instruction=_instruction,
    done=_done,
    stages=PICK_SOON + PUT_INTO_BIN,
    max_steps=120,
    colour="any",
    cubes=2,
    arrange=_two_rows,
    scenery=MARKED_TABLE,
)
