"""MP4s of rollouts: both cameras, the hand's way over them, joints below, the outcome at last."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from zk0_core.files import write_json
from zk0_core.sim.arm import CAMERAS, FPS, JOINTS, SimulatedArm
from zk0_core.video.marks import EXECUTED, PREDICTED, Point, with_outcome, with_paths
from zk0_core.video.strips import strips
from zk0_core.video.writing import side_by_side, write_video

SIZE = 160
"""Pixels of a camera's picture as it is drawn."""
HEIGHT = 320
"""Pixels that it has in the film, in which lines and words are sharp."""
HOLD = FPS
"""Pictures for which the outcome is shown."""
TRAIL = 2 * FPS
"""Steps of the hand's way that are drawn behind it."""
_VIEW = CAMERAS[0]
"""The camera that stands still: over its picture, ways are drawn."""


@attrs.frozen
class _Step:
    """One step of a rollout."""

    views: list[np.ndarray]  # (SIZE, SIZE, 3) uint8 each
    hand: Point
    """Where the hand is, in the first picture of the film."""
    planned: list[Point]
    """Where it is to go in the chunk of actions that this step is from."""
    action: np.ndarray  # (6,)
    joints: np.ndarray  # (6,)


class Film:
    """Collects one rollout; 80 steps take 12 MB."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._steps: list[_Step] = []
        self._planned: list[Point] = []

    def plan(self, arm: SimulatedArm, chunk: np.ndarray) -> None:
        """Note what the policy predicted, (steps, 6), from where the arm is."""
        hand = [arm.grasp_point, *(arm.reach(action) for action in chunk)]
        self._planned = [place for point in hand if (place := _place(arm, point))]

    def take(self, arm: SimulatedArm, action: np.ndarray) -> None:
        """Add the step that `action` was; the arm is where it led."""
        self._steps.append(
            _Step(
                views=[arm.picture(camera, SIZE) for camera in CAMERAS],
                hand=_place(arm, arm.grasp_point) or (0.0, 0.0),
                planned=self._planned,
                action=np.asarray(action),
                joints=arm.joints(),
            )
        )

    def finish(self, success: bool, facts: dict[str, Any]) -> None:
        """Write the film, and `facts` as JSON beside it."""
        write_video(self._path, self._pictures(success), FPS)
        write_json(self._path.with_suffix(".json"), facts)

    def _pictures(self, success: bool) -> Iterator[np.ndarray]:
        steps = self._steps
        curves = strips(
            JOINTS,
            np.stack([step.action for step in steps]),
            np.stack([step.joints for step in steps]),
            "executed",
            HEIGHT * len(CAMERAS),
        )
        for number, step in enumerate(steps):
            way = [earlier.hand for earlier in steps[max(0, number - TRAIL) : number + 1]]
            row = side_by_side(step.views, HEIGHT)
            row = with_paths(row, [(EXECUTED, way), (PREDICTED, step.planned)])
            picture = np.concatenate([row, curves.at(number)])
            yield picture
        word = f"{'succeeded' if success else 'failed'} after {len(steps) / FPS:.1f} s"
        last = with_outcome(picture, success, word)
        yield from [last] * HOLD


def _place(arm: SimulatedArm, point: np.ndarray) -> Point | None:
    """Return where a point of the world is in the film; None behind the camera."""
    place = arm.place_of(point, _VIEW, HEIGHT)
    # Not over the other camera's picture.
    return None if place is None else (min(max(place[0], 0.0), HEIGHT - 1.0), place[1])
