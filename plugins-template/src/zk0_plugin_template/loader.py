"""Joints that wave, in front of a grey wall: a dataset made from a formula.

Put your own format in its place: what counts is that `open` returns something with the attributes
of `Waves`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from zk0_core import DataError

if TYPE_CHECKING:
    import numpy as np

    from zk0_core.data import DatasetSchema, Episode, Progress, RobotDataset

FRAMES = 20
"""Frames of an episode."""
CAMERA = "observation.images.top"
JOINTS = tuple(
    f"{name}.pos"
    for name in (
        "shoulder_pan",
        "shoulder_lift",
        "elbow_flex",
        "wrist_flex",
        "wrist_roll",
        "gripper",
    )
)
TASK = "Wave"


@attrs.define
class Waves:
    """N frames of one camera and six joints."""

    uri: str
    schema: "DatasetSchema"
    fingerprint: str
    episodes: "Sequence[Episode]"
    state: "np.ndarray"  # (N, 6) float32, degrees
    action: "np.ndarray"  # (N, 6) float32, degrees
    held_out: int = 1

    def frames(self, camera: str) -> "Iterator[np.ndarray]":
        """Yield N pictures of `camera`, (96, 96, 3) uint8."""
        import numpy as np

        for frame in range(len(self.state)):
            yield np.full((96, 96, 3), 100 + frame % 50, np.uint8)


class WavesLoader:
    """Opens `plugin-template:episodes=K`; the last of the K episodes is held out."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the dataset at `uri`.

        Raises:
            DataError: if the address says no number of episodes, 2 or more.
        """
        import numpy as np

        from zk0_core.data import DatasetSchema, Episode

        key, _, text = uri.partition(":")[2].partition("=")
        if key != "episodes" or not text.isdecimal() or int(text) < 2:
            raise DataError(f"{uri}: write plugin-template:episodes=K, with K of 2 or more")
        episodes = int(text)
        # Joint j of frame t stands at 30° · sin(t / 5 + j): (N, 6).
        time = np.arange(episodes * FRAMES + 1, dtype=np.float32)[:, None]
        joints = (30 * np.sin(time / 5 + np.arange(len(JOINTS)))).astype(np.float32)
        state, action = joints[:-1], joints[1:]
        return Waves(
            uri=uri,
            schema=DatasetSchema(
                cameras={CAMERA: (96, 96, 3)},
                state=JOINTS,
                action=JOINTS,
                fps=10,
                tasks=(TASK,),
                robot="so101_follower",
                format="a formula",
            ),
            fingerprint=hashlib.sha256(state.tobytes()).hexdigest(),
            episodes=[
                Episode(
                    index=index,
                    start=index * FRAMES,
                    stop=(index + 1) * FRAMES,
                    task=TASK,
                    hash=hashlib.sha256(
                        state[index * FRAMES : (index + 1) * FRAMES].tobytes()
                    ).hexdigest(),
                )
                for index in range(episodes)
            ],
            state=state,
            action=action,
        )

    def prepare(
        self, uris: Sequence[str], workers: int, progress: "Progress | None" = None
    ) -> None:
        """Do nothing: there is nothing to fetch."""
