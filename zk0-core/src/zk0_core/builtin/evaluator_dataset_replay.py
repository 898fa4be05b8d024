"""Predicted against recorded actions on held-out episodes, joint by joint, with videos.

The policy looks at a recorded frame, predicts its chunk of actions, and looks again when these
would have been executed, as it does on an arm; each predicted action is held against the one that
was recorded at its time. The error is the mean of |predicted − recorded| over frames, in the
dataset's units. It says how well demonstrations are imitated, not whether the robot would succeed:
a policy may do right by another way than the demonstrator's.
"""

from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.records import EvaluatorPlugin
from zk0_core.validators import ge
from zk0_core.video.choosing import VideoOptions, video_folder, videos_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zk0_core.protocols import EvaluationRequest
    from zk0_core.replay import Replayed

NAME = "dataset-replay"


@attrs.frozen(kw_only=True)
class DatasetReplayOptions(VideoOptions):
    """Options of `dataset-replay`."""

    episodes: int = attrs.field(
        default=0,
        validator=ge(0),
        metadata={"help": "Held-out episodes that are replayed, the first ones; 0 is all."},
    )


class DatasetReplay:
    """Replays an episode a job; two evaluations of one model give the same figures."""

    def __init__(self, options: DatasetReplayOptions) -> None:
        self._options = options

    def evaluate(self, request: "EvaluationRequest") -> dict[str, Any]:
        """Return how far predictions are from what was recorded.

        Keys: `mean_absolute_error` (mean over joints), `error_by_joint` (joint to its mean
        absolute error), `units` (joint to what that is in), `episodes`, `frames`.
        """
        from zk0_core.replay import ReplayJob, held_out, replay

        folder = video_folder(request, NAME)
        episodes = held_out(request.dataset, request.rename)
        episodes = episodes[: self._options.episodes or len(episodes)]
        videos = videos_of(self._options, request)
        jobs = [
            ReplayJob(
                model=request.model,
                uri=request.dataset,
                rename=dict(request.rename),
                episode=episode,
                video=folder / f"episode_{episode}.mp4" if place < videos else None,
            )
            for place, episode in enumerate(episodes)
        ]
        return figures_of(request.pool.map(replay, jobs))


def figures_of(episodes: "Sequence[Replayed]") -> dict[str, Any]:
    """Return the figures of all `episodes`, each frame counting the same."""
    frames = sum(episode.frames for episode in episodes)
    errors = {
        joint: sum(episode.errors[joint] * episode.frames for episode in episodes) / frames
        for joint in episodes[0].errors
    }
    return {
        "mean_absolute_error": sum(errors.values()) / len(errors),
        "error_by_joint": errors,
        "units": episodes[0].units,
        "episodes": len(episodes),
        "frames": frames,
    }


def build(options: DatasetReplayOptions) -> DatasetReplay:
    """Return the evaluator."""
    return DatasetReplay(options)


PLUGIN = EvaluatorPlugin(
    name=NAME,
    summary="Predicted against recorded actions on held-out episodes, with videos",
    options=DatasetReplayOptions,
    build=build,
)
