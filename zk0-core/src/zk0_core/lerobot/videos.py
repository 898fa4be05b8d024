"""Videos decoded front to back, which is hundreds of times faster than frame by frame."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import attrs
import numpy as np

from zk0_core.datacheck.findings import Finding, named
from zk0_core.errors import DataError

AGAIN = "copy or download the dataset again"
RATE_TOLERANCE = 0.01
"""Share by which a video's rate may differ from its dataset's."""


@attrs.frozen
class Segment:
    """Where one episode lies in a video file."""

    episode: int
    file: Path
    start: float
    """Seconds into the file."""
    frames: int


def pictures(uri: str, segments: Iterable[Segment], fps: int) -> Iterator[np.ndarray]:
    """Yield the pictures of `segments`, (height, width, 3) uint8, in their order.

    Raises:
        DataError: if a file is missing, no video, or ends before its episodes do.
    """
    for file, of_file in groupby(segments, key=lambda segment: segment.file):
        yield from _of_file(uri, file, list(of_file), fps)


def video_findings(
    uri: str, segments: Iterable[Segment], fps: int, shape: tuple[int, int, int]
) -> Iterator[Finding]:
    """Yield videos that are missing, cut, or of another rate or size; nothing is decoded.

    Args:
        uri: The dataset.
        segments: The episodes of one camera, in order.
        fps: The dataset's rate.
        shape: (height, width, channels) of the camera.
    """
    for file, of_file in groupby(segments, key=lambda segment: segment.file):
        yield from _of_header(uri, file, list(of_file), fps, shape)


def _of_header(
    uri: str, file: Path, segments: list[Segment], fps: int, shape: tuple[int, int, int]
) -> Iterator[Finding]:
    import av

    def finding(problem: str, fix: str = AGAIN, of: Sequence[Segment] = segments) -> Finding:
        episodes = tuple(segment.episode for segment in of)
        return Finding(dataset=uri, what="video", episodes=episodes, problem=problem, fix=fix)

    everyone = named([segment.episode for segment in segments])
    if not file.is_file():
        yield finding(f"video of {everyone} is missing: {file}")
        return
    try:
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or fps)
            size = stream.codec_context.height, stream.codec_context.width
            # Packets, since a header says what was meant to be there, not what is.
            there = sum(1 for packet in container.demux(stream) if packet.size)
    except (av.FFmpegError, IndexError) as error:
        yield finding(f"{file} ({everyone}) cannot be read as a video: {error}")
        return
    short = [s for s in segments if round(s.start * fps) + s.frames > there]
    if short:
        needed = round(short[-1].start * fps) + short[-1].frames
        hit = named([segment.episode for segment in short])
        yield finding(f"{file} has {there} pictures, {hit} needs {needed}", of=short)
    if abs(rate / fps - 1) > RATE_TOLERANCE:
        yield finding(
            f"{file} ({everyone}) has {rate:.4g} pictures a second, meta/info.json says {fps}",
            "record or encode it at the dataset's rate",
        )
    if size != shape[:2]:
        yield finding(
            f"{file} ({everyone}) is {size[0]}x{size[1]}, meta/info.json says "
            f"{shape[0]}x{shape[1]}",
            "record or encode it at that size",
        )


def _of_file(uri: str, file: Path, segments: list[Segment], fps: int) -> Iterator[np.ndarray]:
    import av

    if not file.is_file():
        raise DataError(
            f"{uri}: video of episode {segments[0].episode} is missing: {file}; {AGAIN}"
        )
    try:
        with av.open(str(file)) as container:
            decoded = enumerate(container.decode(video=0))
            number, frame = next(decoded, (-1, None))
            for segment in segments:
                first = round(segment.start * fps)
                for wanted in range(first, first + segment.frames):
                    # Pictures before the first wanted one belong to episodes that were deleted.
                    while frame is not None and number < wanted:
                        number, frame = next(decoded, (number, None))
                    if frame is None:
                        raise DataError(
                            f"{uri}: {file} has {number + 1} pictures, episode "
                            f"{segment.episode} needs {first + segment.frames}; {AGAIN}"
                        )
                    yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError as error:
        raise DataError(
            f"{uri}: {file} (episode {segments[0].episode}) cannot be decoded: {error}; {AGAIN}"
        ) from error
