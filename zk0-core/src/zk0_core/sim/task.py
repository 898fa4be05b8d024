"""What a task of the simulated arm is; those that there are lie in `tasks`, one a file."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from zk0_core.sim.scenery import Slab
from zk0_core.sim.stages import Stage

if TYPE_CHECKING:
    from zk0_core.sim.arm import SimulatedArm

Corner = tuple[float, float]


@attrs.frozen(kw_only=True)
class Task:
    """One thing that the arm can be told to do."""

    name: str
    instruction: Callable[[str], str]
    """The sentence that the policy is told, given the colour of the cube that it names."""
    done: "Callable[[SimulatedArm], bool]"
    """Whether it is done at this moment; three such steps in a row are success."""
    stages: tuple[Stage, ...]
    """The expert's way through it."""
    max_steps: int
    """Control steps until the time has run out."""
    colour: str = "red"
    """The colour of the named cube, or `any`, where an address does not say."""
    cubes: int = 1
    arrange: Callable[[np.random.Generator, Corner, Corner], np.ndarray]
    """Draws where the cubes lie, (cubes, 2) metres, the named one first, between two corners."""
    scenery: tuple[Slab, ...] = ()


def one_cube(random: np.random.Generator, low: Corner, high: Corner) -> np.ndarray:
    """Return one place (1, 2), uniform between two corners of the table."""
    return random.uniform(low, high)[None]
