"""What is drawn on pictures of a video: lines, words, and the frame that tells the outcome."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

PREDICTED, EXECUTED = (230, 159, 0), (86, 180, 233)
"""Orange and sky blue, which people with any colour vision tell apart (Okabe and Ito 2008)."""
GOOD, BAD = (40, 180, 70), (210, 50, 40)
WHITE, SHADE = (255, 255, 255), (0, 0, 0)
EDGE = 8
"""Pixels of the frame that tells the outcome."""

Point = tuple[float, float]
"""Pixels to the right and down from the upper left corner."""


def with_paths(
    picture: np.ndarray, paths: Sequence[tuple[tuple[int, int, int], Sequence[Point]]]
) -> np.ndarray:
    """Return `picture`, (H, W, 3) uint8, with coloured lines through points, the last on top."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for colour, points in paths:
        if len(points) > 1:
            # A dark edge, so that the line is seen on bright ground too.
            draw.line(list(points), fill=SHADE, width=5, joint="curve")
            draw.line(list(points), fill=colour, width=3, joint="curve")
    return np.asarray(image)


def with_outcome(picture: np.ndarray, success: bool, words: str) -> np.ndarray:
    """Return `picture` with a frame, green or red, and `words` that say the same."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    colour = GOOD if success else BAD
    width, height = image.size
    draw.rectangle((0, 0, width - 1, height - 1), outline=colour, width=EDGE)
    box = draw.textbbox((0, 0), words, font=font(22))
    draw.rectangle((EDGE, EDGE, EDGE + box[2] + 16, EDGE + box[3] + 12), fill=colour)
    draw.text((EDGE + 8, EDGE + 4), words, fill=WHITE, font=font(22))
    return np.asarray(image)


@functools.cache
def font(size: int) -> Any:
    """Return the font that comes with Pillow, `size` pixels high."""
    from PIL import ImageFont

    return ImageFont.load_default(size)
