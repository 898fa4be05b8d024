"""What the expert does from a start of an evaluation, to hold a policy's loss against.

Nobody trains on it, and it is never recorded.
"""

import functools
import hashlib
from collections.abc import Iterator, Sequence

import attrs
import numpy as np

from zk0_core.data import DatasetSchema, Episode
from zk0_core.sim.arm import CAMERAS, FPS, JOINTS, PICTURE_SIZE
from zk0_core.sim.demonstration import Demonstration, demonstrate
from zk0_core.sim.setup import Setup

_KEPT = 32
"""Demonstrations that a process keeps, 2 to 7 MB each: the same starts are filmed every time."""


@attrs.define(eq=False)
class Shown:
    """One undisturbed demonstration, as a dataset of one held-out episode of N frames."""

    uri: str
    schema: DatasetSchema
    fingerprint: str
    episodes: Sequence[Episode]
    state: np.ndarray  # (N, 6) float32
    action: np.ndarray  # (N, 6) float32
    pictures: dict[str, np.ndarray]
    """Feature name to (N, 96, 96, 3) uint8."""
    held_out: int = 1

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield every picture of `camera`, in order."""
        yield from self.pictures[camera]


@functools.lru_cache(maxsize=_KEPT)
def shown(setup: Setup, region: str, seed: int) -> Shown | None:
    """Return what the expert does, undisturbed, in the scene `seed`; None if it fails."""
    demonstration = demonstrate(setup, region, seed, disturbed=False)
    return None if demonstration is None else _as_dataset(demonstration, f"start {seed}")


def _as_dataset(demonstration: Demonstration, name: str) -> Shown:
    joints = tuple(f"{joint}.pos" for joint in JOINTS)
    pictures = {f"observation.images.{c}": demonstration.pictures[c] for c in CAMERAS}
    arrays = (demonstration.states, demonstration.actions, *pictures.values())
    content = hashlib.sha256(demonstration.instruction.encode())
    for array in arrays:
        content.update(np.ascontiguousarray(array).tobytes())
    task, length = demonstration.instruction, len(demonstration.states)
    return Shown(
        uri=name,
        schema=DatasetSchema(
            cameras=dict.fromkeys(pictures, (PICTURE_SIZE, PICTURE_SIZE, 3)),
            state=joints,
            action=joints,
            fps=FPS,
            tasks=(task,),
            robot="so101_follower",
            format="none",
        ),
        fingerprint=content.hexdigest(),
        episodes=(Episode(0, 0, length, task, content.hexdigest()),),
        state=demonstration.states,
        action=demonstration.actions,
        pictures=pictures,
    )
