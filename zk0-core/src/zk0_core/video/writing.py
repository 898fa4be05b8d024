"""MP4 files that browsers play, made with what PyAV brings along."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np

from zk0_core.files import whole_file


def write_video(path: Path, pictures: Iterable[np.ndarray], fps: int) -> None:
    """Write `pictures`, (height, width, 3) uint8 with even sides, one at least, as h264."""
    import av

    rest = iter(pictures)
    first = next(rest)
    height, width, _ = first.shape
    with whole_file(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("h264", rate=Fraction(fps), options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in chain([first], rest):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def side_by_side(views: Iterable[np.ndarray], height: int) -> np.ndarray:
    """Return pictures of several cameras in a row, each (`height`, even width, 3) uint8."""
    from PIL import Image

    row = []
    for view in views:
        width = round(view.shape[1] * height / view.shape[0] / 2) * 2
        row.append(np.asarray(Image.fromarray(view).resize((width, height))))
    return np.concatenate(row, axis=1)
