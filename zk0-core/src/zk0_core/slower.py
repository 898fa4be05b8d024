"""A dataset at a lower frame rate: every second frame, or every third."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import attrs
import numpy as np

from zk0_core.data import Episode, RobotDataset
from zk0_core.datacheck.findings import Finding, Inspected
from zk0_core.errors import DataError


class SlowerDataset:
    """The episodes of `dataset` at `fps`: of each, its first frame and every k-th after it.

    An action that is a target for the joints stays one; an action that is a difference between two
    frames would have to be summed, which nothing here does.
    """

    def __init__(self, dataset: RobotDataset, fps: int) -> None:
        """Choose the frames.

        Raises:
            DataError: if `fps` is no whole part of the dataset's rate.
        """
        rate = dataset.schema.fps
        if not 0 < fps <= rate or rate % fps:
            whole = [str(rate // k) for k in range(1, rate + 1) if rate % k == 0]
            raise DataError(
                f"{dataset.uri}: fps={fps} cannot be had from {rate} fps by leaving out frames; "
                f"choose from {', '.join(whole)}"
            )
        step = rate // fps
        self._dataset = dataset
        self._taken = np.zeros(len(dataset.state), bool)
        for episode in dataset.episodes:
            self._taken[episode.start : episode.stop : step] = True
        place = np.cumsum(self._taken)  # (N,) how many are taken up to here, itself included
        self.uri = dataset.uri
        self.schema = attrs.evolve(dataset.schema, fps=fps)
        self.held_out = dataset.held_out
        self.state = dataset.state[self._taken]
        self.action = dataset.action[self._taken]
        # The hash stays: it is the same recording, at whatever rate.
        self.episodes: Sequence[Episode] = [
            attrs.evolve(e, start=int(place[e.start]) - 1, stop=int(place[e.stop - 1]))
            for e in dataset.episodes
        ]
        chosen = f"{dataset.fingerprint} {step} {[(e.start, e.stop) for e in dataset.episodes]}"
        self.fingerprint = hashlib.sha256(chosen.encode()).hexdigest()

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield the pictures of `camera` that were chosen."""
        for taken, picture in zip(self._taken, self._dataset.frames(camera), strict=True):
            if taken:
                yield picture

    def findings(self) -> Iterable[Finding]:
        """Yield what is wrong with the files."""
        return self._dataset.findings() if isinstance(self._dataset, Inspected) else ()
