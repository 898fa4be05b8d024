"""MP4s of rollouts: both cameras side by side, a frame around it at the end for the outcome."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from zk0_core.files import whole_file, write_json
from zk0_core.sim.arm import CAMERAS, FPS, SimulatedArm

SIZE = 160
"""Pixels of a camera's picture."""
HOLD = FPS
"""Pictures for which the outcome is shown."""
EDGE = 8
GREEN, RED = (40, 180, 70), (210, 50, 40)


class Film:
    """Collects the pictures of one rollout; 80 of them take 28 MB."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pictures: list[np.ndarray] = []

    def take(self, arm: SimulatedArm) -> None:
        """Add a picture of now."""
        views = [arm.picture(camera, SIZE) for camera in CAMERAS]
        self._pictures.append(np.concatenate(views, axis=1))

    def finish(self, success: bool, facts: dict[str, Any]) -> None:
        """Write the film, and `facts` as JSON beside it."""
        last = self._pictures[-1].copy()
        colour = GREEN if success else RED
        last[:EDGE], last[-EDGE:], last[:, :EDGE], last[:, -EDGE:] = colour, colour, colour, colour
        write_video(self._path, [*self._pictures, *[last] * HOLD], FPS)
        write_json(self._path.with_suffix(".json"), facts)


def write_video(path: Path, pictures: list[np.ndarray], fps: int) -> None:
    """Write `pictures`, (height, width, 3) uint8 with even sides, as h264 that browsers play."""
    import av

    height, width, _ = pictures[0].shape
    with whole_file(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("h264", rate=Fraction(fps), options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
