"""How much the predicted actions jerk: the mean square of their third derivative in time.

For a chunk of actions a_0 … a_T of one joint at f frames a second, jerk is the third difference,
(a_{t+3} − 3 a_{t+2} + 3 a_{t+1} − a_t) · f³, in degrees/s³. The figure is the mean of its square
over chunks, times and joints, of frames of the held-out episodes.
"""

from typing import TYPE_CHECKING, Any

import attrs

from zk0_core import ge

if TYPE_CHECKING:
    import numpy as np

    from zk0_core import EvaluationRequest
    from zk0_core.server.model import ModelRef


@attrs.frozen(kw_only=True)
class SmoothnessOptions:
    """Options: flags `--evaluator.every`, keys of [[evaluations]] in a run file."""

    every: int = attrs.field(
        default=10, validator=ge(1), metadata={"help": "Predict from every so many-th frame."}
    )


@attrs.frozen
class Smoothness:
    """Loads the model in a process of the pool, where a loaded policy is kept."""

    options: SmoothnessOptions

    def evaluate(self, request: "EvaluationRequest") -> dict[str, Any]:
        """Return `action_jerk`, and how many `chunks` it is over."""
        job = (request.model, request.dataset, self.options.every)
        (figures,) = request.pool.map(jerk_on, [job])
        return figures


def jerk_on(job: "tuple[ModelRef, str, int]") -> dict[str, Any]:
    """Return the figures of a model on a dataset, from every so many-th frame."""
    import numpy as np
    import torch

    from zk0_core.data import evaluation_episodes
    from zk0_core.parts import open_dataset
    from zk0_core.server.model import load_model

    model, uri, every = job
    policy, dataset = load_model(model), open_dataset(uri)
    frames = {
        frame: episode.task
        for episode in evaluation_episodes(dataset)
        for frame in range(episode.start, episode.stop, every)
    }
    pictures: dict[str, Any] = {
        camera: np.stack([p for f, p in enumerate(dataset.frames(camera)) if f in frames])
        for camera in dataset.schema.cameras
    }
    # The same noise at every evaluation, so that figures differ only when the model does.
    with torch.no_grad():
        chunks = policy.act(
            pictures,
            dataset.state[list(frames)],
            list(frames.values()),
            torch.Generator(model.recipe.device).manual_seed(0),
        )
    return {"action_jerk": mean_jerk(chunks, dataset.schema.fps), "chunks": len(frames)}


def mean_jerk(chunks: "np.ndarray", fps: float) -> float:
    """Return the mean squared jerk of `chunks`, (B, T, A) with T ≥ 4, at `fps` frames a second."""
    import numpy as np

    jerk = np.diff(chunks.astype(np.float64), n=3, axis=1) * fps**3
    return float(np.square(jerk).mean())
