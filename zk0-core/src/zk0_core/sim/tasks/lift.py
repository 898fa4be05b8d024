"""`lift`: the cube is held up."""

from typing import TYPE_CHECKING

from zk0_core.sim.stages import PICK
from zk0_core.sim.task import Task, one_cube

if TYPE_CHECKING:
    from zk0_core.sim.arm import SimulatedArm

_LIFT = 0.04  # m above where the cube lay


def _instruction(colour: str) -> str:
    return f"Pick up the {colour} cube"


def _done(arm: "SimulatedArm") -> bool:
    return bool(arm.cube[2] - arm.table_height > _LIFT) and arm.grasped


TASK = Task(
    name="lift",
    instruction=_instruction,
    done=_done,
    stages=PICK,
    max_steps=80,
    arrange=one_cube,
)
