"""Several datasets as one: what an address such as `local:/a + local:/b` stands for."""

import hashlib
from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from zk0_core.addresses import JOIN
from zk0_core.data import DatasetSchema, Episode, RobotDataset
from zk0_core.errors import DataError


class JoinedDataset:
    """The frames of `parts`, one dataset after the other.

    Episodes are numbered through. Those that are held out of a part stay held out: they come last
    in `episodes`, wherever their frames lie.
    """

    def __init__(self, parts: Sequence[RobotDataset]) -> None:
        """Join `parts`.

        Raises:
            DataError: if two parts differ in cameras, joints or fps, or have an episode in common.
        """
        self.parts = tuple(parts)
        """The datasets that are joined, in order of their frames."""
        self.uri = JOIN.join(part.uri for part in parts)
        self.schema = _joined_schema(parts)
        self.fingerprint = hashlib.sha256(
            "".join(part.fingerprint for part in parts).encode()
        ).hexdigest()
        training: list[Episode] = []
        held_out: list[Episode] = []
        starts = np.cumsum([0, *(len(part.state) for part in parts)]).tolist()
        for part, start in zip(parts, starts, strict=False):
            kept = len(part.episodes) - part.held_out
            for position, episode in enumerate(part.episodes):
                moved = attrs.evolve(
                    episode,
                    index=len(training) + len(held_out),
                    start=start + episode.start,
                    stop=start + episode.stop,
                )
                (training if position < kept else held_out).append(moved)
        self.episodes: Sequence[Episode] = (*training, *held_out)
        self.held_out = len(held_out)
        self.state = np.concatenate([part.state for part in parts])
        self.action = np.concatenate([part.action for part in parts])
        _check_distinct(parts)

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield every picture of `camera` once, part after part."""
        for part in self.parts:
            yield from part.frames(camera)


def joined(datasets: Sequence[RobotDataset]) -> RobotDataset:
    """Return `datasets`, one or more, as one."""
    return datasets[0] if len(datasets) == 1 else JoinedDataset(datasets)


def parts_of(dataset: RobotDataset) -> Sequence[RobotDataset]:
    """Return what `dataset` is joined from, in order of its frames; itself if from nothing."""
    return dataset.parts if isinstance(dataset, JoinedDataset) else (dataset,)


def _joined_schema(parts: Sequence[RobotDataset]) -> DatasetSchema:
    first = parts[0]
    for other in parts[1:]:
        for what in ("cameras", "state", "action", "fps"):
            one, two = getattr(first.schema, what), getattr(other.schema, what)
            if one != two:
                raise DataError(
                    f"{first.uri} and {other.uri} cannot be joined, they differ in {what}: "
                    f"{_shown(one)} against {_shown(two)}; join datasets of one robot, or rename"
                )
    tasks = dict.fromkeys(task for part in parts for task in part.schema.tasks)
    return attrs.evolve(first.schema, tasks=tuple(tasks))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        cameras = (f"{name} {height}x{width}" for name, (height, width, _) in value.items())
        return ", ".join(cameras) or "none"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _check_distinct(parts: Sequence[RobotDataset]) -> None:
    """Refuse an episode that two parts have: it would count twice, or be held out in vain."""
    seen: dict[str, str] = {}
    for part in parts:
        own = {e.hash: f"episode {e.index} of {part.uri}" for e in part.episodes}
        for content in own.keys() & seen.keys():
            raise DataError(
                f"{own[content]} is also {seen[content]}; join each recording once only"
            )
        seen |= own
