"""Actions as curves, joint by joint: what the policy predicted, and what really happened."""

import math
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np

from zk0_core.video.marks import EXECUTED, PREDICTED, WHITE, font

CELL = 64
"""Pixels of a joint's curve from top to bottom."""
COLUMNS = 6
LEGEND = 20
GROUND, GRID, INK = (24, 26, 30), (70, 74, 80), (225, 228, 232)
LEAST = 1.0
"""Units that a curve's height spans at least, so that a joint at rest is a line and no noise."""


@attrs.frozen
class Strips:
    """The curves of an episode; a line goes through them with time."""

    drawn: Any
    """The picture of all curves, a PIL image."""
    steps: int
    columns: int

    def at(self, step: int) -> np.ndarray:
        """Return the curves with a line at `step`, (height, width, 3) uint8, both even."""
        from PIL import ImageDraw

        image = self.drawn.copy()
        draw = ImageDraw.Draw(image)
        width = image.width // self.columns
        for column in range(self.columns):
            x = column * width + _across(step, self.steps, width)
            draw.line((x, LEGEND, x, image.height), fill=WHITE, width=1)
        return np.asarray(image)


def strips(
    joints: Sequence[str], predicted: np.ndarray, happened: np.ndarray, word: str, width: int
) -> Strips:
    """Draw the curves of an episode.

    Args:
        joints: Names of the A joints.
        predicted: (T, A), in the dataset's units.
        happened: (T, A), what was recorded or executed, in the same units.
        word: What it is called.
        width: Pixels from left to right, even.
    """
    from PIL import Image, ImageDraw

    columns = min(len(joints), COLUMNS)
    height = LEGEND + math.ceil(len(joints) / columns) * CELL
    image = Image.new("RGB", (width, height + height % 2), GROUND)
    draw = ImageDraw.Draw(image)
    draw.text((6, 3), "predicted", fill=PREDICTED, font=font(12))
    draw.text((76, 3), word, fill=EXECUTED, font=font(12))
    for place, name in enumerate(joints):
        row, column = divmod(place, columns)
        corner = column * (width // columns), LEGEND + row * CELL
        pair = np.stack([happened[:, place], predicted[:, place]])
        _draw_joint(draw, corner, width // columns, name.removesuffix(".pos"), pair)
    return Strips(image, len(predicted), columns)


def _draw_joint(
    draw: Any, corner: tuple[int, int], width: int, name: str, pair: np.ndarray
) -> None:
    """Draw one joint's two curves, (2, T): what happened, and what was predicted."""
    left, top = corner
    middle = (pair.min() + pair.max()) / 2
    span = max(float(pair.max() - pair.min()), LEAST)
    draw.rectangle((left, top, left + width - 1, top + CELL - 1), outline=GRID)
    draw.text((left + 4, top + 2), name, fill=INK, font=font(11))
    for colour, curve in zip((EXECUTED, PREDICTED), pair, strict=True):
        points = [
            (
                left + _across(step, len(curve), width),
                top + 16 + (0.5 - (float(value) - middle) / span) * (CELL - 22),
            )
            for step, value in enumerate(curve)
        ]
        draw.line(points, fill=colour, width=2)


def _across(step: int, steps: int, width: int) -> float:
    """Return how many pixels from a curve's left edge `step` lies."""
    return 4 + step / max(steps - 1, 1) * (width - 9)
