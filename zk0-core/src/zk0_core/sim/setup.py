"""What a simulated arm is set up for: its task, and how its desk looks.

One client's desk may differ from another's in the colour of the cube, in where the camera stands
and in the light; these are options of `sim:` addresses.
"""

import attrs

from zk0_core.errors import DataError
from zk0_core.options import did_you_mean
from zk0_core.sim.scenery import Colour
from zk0_core.sim.tasks import TASKS

COLOURS: dict[str, Colour] = {
    "red": (0.9, 0.15, 0.1),
    "green": (0.15, 0.6, 0.15),
    "blue": (0.12, 0.25, 0.85),
    "yellow": (0.9, 0.8, 0.1),
}
"""What cubes may look like."""
ANY = "any"
"""A colour drawn anew for every scene."""


@attrs.frozen(kw_only=True)
class Setup:
    """One task on one desk."""

    task: str = "lift"
    colour: str = attrs.field()
    """Of the cube that the instruction names, or `any`; each task has its usual one."""
    camera_x: int = 0
    """Centimetres that the top camera is moved ahead, -3 to 3."""
    camera_y: int = 0
    """The same to the left."""
    camera_z: int = 0
    """The same upwards."""
    light: int = 100
    """Brightness in percent of the usual, 40 to 140."""
    light_turn: int = 0
    """Degrees that the light is turned leftwards about the table, -180 to 180."""

    @colour.default
    def _usual_colour(self) -> str:
        # An unknown task is refused below.
        return TASKS[self.task].colour if self.task in TASKS else ANY

    def __attrs_post_init__(self) -> None:
        """Refuse what there is not."""
        check_choice("task", self.task, tuple(TASKS))
        check_choice("colour", self.colour, (*COLOURS, ANY))
        for name, (low, high) in SETUP_RANGES.items():
            check_range(name, getattr(self, name), low, high)


SETUP_RANGES = {
    "camera_x": (-3, 3),
    "camera_y": (-3, 3),
    "camera_z": (-3, 3),
    "light": (40, 140),
    "light_turn": (-180, 180),
}
"""Options that are whole numbers, and the values that they may have."""


def check_choice(kind: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise DataError unless `value` is among `choices`."""
    if value not in choices:
        guess = did_you_mean(value, choices)
        raise DataError(f"unknown {kind} '{value}'; choose from {', '.join(choices)}{guess}")


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Raise DataError unless `value` is in [low, high]."""
    if not low <= value <= high:
        raise DataError(f"{name}={value} is out of range; choose {low} to {high}")


LIFT = Setup()
"""The red cube is lifted, on a desk like any other."""
