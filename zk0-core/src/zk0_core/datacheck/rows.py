"""What can be wrong with states and actions, frame by frame."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from zk0_core.data import Episode, RobotDataset
from zk0_core.datacheck.findings import Finding, named

JUMP = 180.0
"""A joint that moves further within a frame has passed the zero of its encoder."""


def row_findings(dataset: RobotDataset) -> Iterator[Finding]:
    """Yield what is wrong with states, actions and episodes of a dataset that is not joined."""
    yield from not_finite(dataset.uri, dataset.episodes, dataset.state, dataset.action)
    yield from _twice(dataset)
    yield from _jumps(dataset)


def not_finite(uri: str, episodes: Sequence[Episode], *arrays: np.ndarray) -> Iterator[Finding]:
    """Yield a finding if an episode holds what is no number."""
    bad = [
        episode.index
        for episode in episodes
        if not all(np.isfinite(array[episode.start : episode.stop]).all() for array in arrays)
    ]
    if bad:
        yield Finding(
            dataset=uri,
            what="rows",
            episodes=tuple(bad),
            problem=f"{named(bad)} hold{'s' if len(bad) == 1 else ''} a NaN or infinite state or "
            "action",
            fix="record again, or choose the others with the option episodes of the address",
        )


def _twice(dataset: RobotDataset) -> Iterator[Finding]:
    """Yield episodes that are there twice: they would count twice, or be held out in vain."""
    first: dict[str, int] = {}
    for episode in dataset.episodes:
        other = first.setdefault(episode.hash, episode.index)
        if other != episode.index:
            yield Finding(
                dataset=dataset.uri,
                what="episodes",
                episodes=(episode.index,),
                problem=f"episode {episode.index} has the frames of episode {other}",
                fix="leave one out with the option episodes of the address",
            )


def _jumps(dataset: RobotDataset) -> Iterator[Finding]:
    hit: dict[str, list[int]] = {}
    for episode in dataset.episodes:
        steps = np.abs(np.diff(dataset.state[episode.start : episode.stop], axis=0))
        if not len(steps):
            continue
        for joint in itertools.compress(dataset.schema.state, steps.max(axis=0) > JUMP):
            hit.setdefault(joint, []).append(episode.index)
    for joint, episodes in hit.items():
        yield Finding(
            dataset=dataset.uri,
            what="ranges",
            episodes=tuple(episodes),
            problem=f"{joint} jumps by more than half a turn within a frame in {named(episodes)}",
            fix="its encoder passed zero: calibrate the arm and record again",
            error=False,
        )
