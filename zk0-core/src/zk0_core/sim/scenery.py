"""What stands on the table beside the cubes: a bin and a line, as boxes that the scene gets."""

import attrs
import numpy as np

Colour = tuple[float, float, float]

_GREY, _DARK, _WHITE = (0.8, 0.8, 0.8), (0.15, 0.15, 0.18), (0.95, 0.95, 0.95)


@attrs.frozen
class Slab:
    """A box that never moves."""

    name: str
    centre: tuple[float, float, float]  # m
    half: tuple[float, float, float]  # m, half of each side
    colour: Colour
    solid: bool = True
    """Whether things run into it; what is painted on the table lets them pass."""


@attrs.frozen
class Bin:
    """An open, square bin."""

    centre: tuple[float, float]  # m on the table
    half: float  # m, half of a side, within the walls
    height: float  # m
    bottom: float  # m, how thick
    wall: float  # m, half of how thick

    def slabs(self) -> tuple[Slab, ...]:
        """Return its bottom and its walls."""
        (x, y), middle, up = self.centre, self.half + self.wall, self.height / 2
        across = (self.half + 2 * self.wall, self.wall, up)
        along = (self.wall, self.half, up)
        return (
            Slab(
                "bin bottom",
                (x, y, self.bottom / 2),
                (self.half, self.half, self.bottom / 2),
                _DARK,
            ),
            Slab("bin left", (x, y + middle, up), across, _GREY),
            Slab("bin right", (x, y - middle, up), across, _GREY),
            Slab("bin front", (x + middle, y, up), along, _GREY),
            Slab("bin back", (x - middle, y, up), along, _GREY),
        )

    def holds(self, cube: np.ndarray) -> bool:
        """Whether a cube with its centre at `cube`, (3,) metres, lies within the walls."""
        beside = np.abs(cube[:2] - self.centre).max()
        return bool(beside < self.half and cube[2] < _LOW)


_LOW = 0.03  # m: the centre of a cube that lies in the bin, or nearly

BIN = Bin(centre=(0.18, 0.175), half=0.04, height=0.024, bottom=0.002, wall=0.0015)
"""To the left of all regions."""

LINE_X = 0.31
"""Metres; the line runs across, ahead of all regions."""

_LINE = Slab("line", (LINE_X, 0.0, 0.0005), (0.004, 0.13, 0.0005), _WHITE, solid=False)

MARKED_TABLE = (*BIN.slabs(), _LINE)
"""Bin and line: scenes of several tasks have both, so that only words tell the tasks apart."""
