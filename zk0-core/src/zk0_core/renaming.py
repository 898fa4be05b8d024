"""A dataset under other names: what a client's `rename` map asks for."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs
import numpy as np

from zk0_core.data import DatasetSchema, RobotDataset
from zk0_core.datacheck.findings import Finding, Inspected
from zk0_core.errors import DataError
from zk0_core.options import did_you_mean


class RenamedDataset:
    """`dataset`, with cameras and joints under the names of `rename` (old to new)."""

    def __init__(self, dataset: RobotDataset, rename: Mapping[str, str]) -> None:
        self._dataset = dataset
        old = dataset.schema
        self._camera_of = {rename.get(camera, camera): camera for camera in old.cameras}
        self.schema = attrs.evolve(
            old,
            cameras={new: old.cameras[camera] for new, camera in self._camera_of.items()},
            state=tuple(rename.get(joint, joint) for joint in old.state),
            action=tuple(rename.get(joint, joint) for joint in old.action),
        )
        self.uri = dataset.uri
        self.fingerprint = dataset.fingerprint
        if changed := sorted((n, old) for n, old in self._camera_of.items() if n != old):
            # Caches are keyed by fingerprint and camera, and other pictures lie there now.
            names = f"{dataset.fingerprint} {json.dumps(changed)}"
            self.fingerprint = hashlib.sha256(names.encode()).hexdigest()
        self.episodes = dataset.episodes
        self.held_out = dataset.held_out
        self.state = dataset.state
        self.action = dataset.action

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield the pictures of `camera`, by its new name."""
        return self._dataset.frames(self._camera_of[camera])

    def findings(self) -> Iterable[Finding]:
        """Yield what is wrong with the files, by the names that they have."""
        return self._dataset.findings() if isinstance(self._dataset, Inspected) else ()


def renamed(datasets: Sequence[RobotDataset], rename: Mapping[str, str]) -> list[RobotDataset]:
    """Return `datasets` with their cameras and joints renamed.

    Args:
        datasets: Those of one client. Each takes the entries whose name it has, so that
            recordings which name a camera differently can be joined.
        rename: Camera or joint to the name that the policy knows it by.

    Raises:
        DataError: if no dataset has a name that is to change, or two things of one dataset
            would get one name.
    """
    known = dict.fromkeys(name for dataset in datasets for name in _names(dataset.schema))
    for old in rename:
        if old not in known:
            raise DataError(
                f"rename of {' + '.join(dataset.uri for dataset in datasets)}: it has no camera "
                f"or joint '{old}'; choose from {', '.join(known)}{did_you_mean(old, known)}"
            )
    for dataset in datasets:
        for what in ("cameras", "state", "action"):
            _check_distinct(dataset.uri, what, getattr(dataset.schema, what), rename)
    return [RenamedDataset(dataset, rename) for dataset in datasets]


def _names(schema: DatasetSchema) -> list[str]:
    """Return the names that can be changed, each once."""
    return list(dict.fromkeys([*schema.cameras, *schema.state, *schema.action]))


def _check_distinct(
    uri: str, what: str, names: Sequence[str] | Mapping[str, object], rename: Mapping[str, str]
) -> None:
    first: dict[str, str] = {}
    for name in names:
        new = rename.get(name, name)
        if new in first:
            raise DataError(
                f"rename of {uri}: '{first[new]}' and '{name}' of its {what} would both be "
                f"'{new}'; give one of them another name"
            )
        first[new] = name
