"""`place`: the cube lies in the bin, and the gripper has let go of it."""

from typing import TYPE_CHECKING

from zk0_core.sim.scenery import BIN, MARKED_TABLE
from zk0_core.sim.stages import PICK_SOON, PUT_INTO_BIN
from zk0_core.sim.task import Task, one_cube

if TYPE_CHECKING:
    from zk0_core.sim.arm import SimulatedArm


def _instruction(colour: str) -> str:
    return f"Put the {colour} cube into the bin"


def _done(arm: "SimulatedArm") -> bool:
    return BIN.holds(arm.cube) and not arm.grasped


TASK = Task(
    name="place",
    instruction=_instruction,
    done=_done,
    stages=PICK_SOON + PUT_INTO_BIN,
    max_steps=120,
    arrange=one_cube,
    scenery=MARKED_TABLE,
)
