"""A dataset under other feature names: what a client's `rename` map asks for."""

import hashlib
import json
from collections.abc import Iterator, Mapping

import attrs
import numpy as np

from zk0_core.data import RobotDataset
from zk0_core.errors import DataError


class RenamedDataset:
    """`dataset`, with cameras under the names of `rename` (old to new)."""

    def __init__(self, dataset: RobotDataset, rename: Mapping[str, str]) -> None:
        self._dataset = dataset
        self._old = {rename.get(camera, camera): camera for camera in dataset.schema.cameras}
        cameras = {new: dataset.schema.cameras[old] for new, old in self._old.items()}
        self.schema = attrs.evolve(dataset.schema, cameras=cameras)
        self.uri = dataset.uri
        # Caches are keyed by fingerprint and the new names, under which other pictures may lie.
        names = json.dumps(sorted(self._old.items()))
        self.fingerprint = hashlib.sha256(f"{dataset.fingerprint} {names}".encode()).hexdigest()
        self.episodes = dataset.episodes
        self.held_out = dataset.held_out
        self.state = dataset.state
        self.action = dataset.action

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield the pictures of `camera`, by its new name."""
        return self._dataset.frames(self._old[camera])


def renamed(dataset: RobotDataset, rename: Mapping[str, str]) -> RobotDataset:
    """Return `dataset` with its cameras renamed.

    Raises:
        DataError: if a camera to rename is not there, or two would get one name.
    """
    cameras = dataset.schema.cameras
    for old in rename:
        if old not in cameras:
            raise DataError(
                f"rename of {dataset.uri}: it has no camera {old!r}; it has {', '.join(cameras)}"
            )
    names = [rename.get(camera, camera) for camera in cameras]
    if len(set(names)) < len(names):
        raise DataError(f"rename of {dataset.uri}: two cameras would be called alike: {names}")
    return RenamedDataset(dataset, rename)
