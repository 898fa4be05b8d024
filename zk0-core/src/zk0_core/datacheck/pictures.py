"""Every picture of a dataset, decoded: what no header tells."""

from collections.abc import Iterator

import numpy as np

from zk0_core.data import Episode, Progress, RobotDataset
from zk0_core.datacheck.findings import Finding, named
from zk0_core.errors import DataError

UNCHANGED = 8
"""Difference, of 255, up to which 99 % of two pictures may differ by encoding alone."""
_EVERY = 8
"""Pixels between two that are compared."""


def picture_findings(dataset: RobotDataset, progress: Progress | None) -> Iterator[Finding]:
    """Yield what is wrong with the pictures of `dataset`, camera by camera."""
    for camera in dataset.schema.cameras:
        try:
            yield from _of_camera(dataset, camera, progress)
        except DataError as problem:
            yield finding_of(problem, dataset.uri, "video")


def finding_of(problem: DataError, uri: str, what: str) -> Finding:
    """Return what `problem` with the dataset at `uri` says, as what a check found about `what`."""
    text, _, fix = str(problem).removeprefix(f"{uri}: ").partition("; ")
    return Finding(dataset=uri, what=what, problem=text, fix=fix or "see there")


def _of_camera(dataset: RobotDataset, camera: str, progress: Progress | None) -> Iterator[Finding]:
    height, width, _ = dataset.schema.cameras[camera]
    total = len(dataset.state)
    starts = {episode.start: episode for episode in dataset.episodes}
    unchanged: dict[int, Episode] = {}
    first: np.ndarray = np.zeros(0, np.int16)
    current, count = None, 0
    for picture in dataset.frames(camera):
        if picture.shape[:2] != (height, width):
            size = f"{picture.shape[0]}x{picture.shape[1]}"
            yield _finding(dataset, f"{camera} gives pictures of {size}, not {height}x{width}")
            return
        small = picture[::_EVERY, ::_EVERY].astype(np.int16)
        if count in starts:
            current, first = starts[count], small
            unchanged[current.index] = current
        # Behind its stop come frames of episodes that were not chosen.
        elif current is not None and count < current.stop and _differ(first, small):
            unchanged.pop(current.index, None)
        count += 1
        if progress:
            progress(f"decoding {camera} of {dataset.uri}", count, total)
    if count != total:
        yield _finding(dataset, f"{camera} has {count} pictures for {total} frames")
    if frozen := [index for index, episode in unchanged.items() if _moves(dataset, episode)]:
        yield Finding(
            dataset=dataset.uri,
            what="video",
            episodes=tuple(frozen),
            problem=f"{camera} shows one picture all through {named(frozen)}, while the arm moves",
            fix="see whether the camera hung, and leave these out with the option episodes",
            error=False,
        )


def _differ(first: np.ndarray, other: np.ndarray) -> bool:
    """Whether two pictures, (H, W, 3) int16, differ by more than their encoding."""
    return float(np.percentile(np.abs(other - first), 99)) > UNCHANGED


def _moves(dataset: RobotDataset, episode: Episode) -> bool:
    """Whether a joint goes through a tenth of its range in `episode`."""
    whole = np.ptp(dataset.state, axis=0)
    own = np.ptp(dataset.state[episode.start : episode.stop], axis=0)
    return bool((own > 0.1 * whole).any())


def _finding(dataset: RobotDataset, problem: str) -> Finding:
    return Finding(
        dataset=dataset.uri,
        what="video",
        problem=problem,
        fix="record or download the videos again",
    )
