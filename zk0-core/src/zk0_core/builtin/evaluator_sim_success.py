"""Closed-loop success in the embedded simulator: does the arm do what it was told?"""

from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.records import EvaluatorPlugin
from zk0_core.validators import between, ge
from zk0_core.video.choosing import VideoOptions, video_folder, videos_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zk0_core.protocols import EvaluationRequest
    from zk0_core.sim.rollouts import Rollout

NAME = "sim-success"
WAVE = 2
"""Batches of starts between two looks at the interval's width."""


@attrs.frozen(kw_only=True)
class SimSuccessOptions(VideoOptions):
    """Options of `sim-success`."""

    rollouts: int = attrs.field(
        default=20, validator=ge(1), metadata={"help": "Starts per evaluation, 1 or more."}
    )
    final_rollouts: int = attrs.field(
        default=60, validator=ge(1), metadata={"help": "Starts in the last evaluation of a run."}
    )
    interval_width: float = attrs.field(
        default=0.0,
        validator=between(0, 1),
        metadata={
            "help": "Stop at fewer starts once the 95 % interval is at most so wide, 0.2 being 20 "
            "points; 0: never."
        },
    )


class SimSuccess:
    """Rolls the policy out from the same starts at every evaluation."""

    def __init__(self, options: SimSuccessOptions) -> None:
        self._options = options

    def evaluate(self, request: "EvaluationRequest") -> dict[str, Any]:
        """Return success rate, its 95 % Wilson interval, and success per region of the table.

        What success is, the task in the dataset's address says; `zk0_core.sim.tasks` has them.

        Keys: `success_rate`, `success_interval`, `rollouts`, `outcomes` (1 or 0 for each start, in
        order), `regions` (name to successes and rollouts), `seconds_to_success` (mean over
        successes, None without any), `smoothness` (mean squared jerk of the joints, degrees per
        step cubed, squared).
        """
        from zk0_core.files import write_json
        from zk0_core.sim.rollouts import split_starts

        options = self._options
        batches = split_starts(options.final_rollouts if request.final else options.rollouts)
        rollouts: list[Rollout] = []
        # As many at a time whatever the workers, so that the stop does not depend on them either.
        wave = WAVE if options.interval_width else len(batches)
        for first in range(0, len(batches), wave):
            rollouts += self._roll_out(request, batches[first : first + wave])
            if options.interval_width and _width(rollouts) <= options.interval_width:
                break
        figures = figures_of(rollouts)
        write_json(
            video_folder(request, NAME) / "rollouts.json",
            {"dataset": request.dataset, **figures, "starts": [attrs.asdict(r) for r in rollouts]},
        )
        return figures

    def _roll_out(
        self, request: "EvaluationRequest", batches: "Sequence[tuple[int, ...]]"
    ) -> "list[Rollout]":
        from zk0_core.sim.rollouts import RolloutBatch, roll_out
        from zk0_core.sim.spec import SimSpec

        spec = SimSpec.parse(request.dataset)
        videos = videos_of(self._options, request)
        jobs = [
            RolloutBatch(
                model=request.model,
                spec=spec,
                starts=starts,
                filmed=tuple(start for start in starts if start < videos),
                folder=video_folder(request, NAME),
            )
            for starts in batches
        ]
        return [entry for batch in request.pool.map(roll_out, jobs) for entry in batch]


def figures_of(rollouts: "Sequence[Rollout]") -> dict[str, Any]:
    """Return the figures of `rollouts`, as `SimSuccess.evaluate` says."""
    from zk0_core.intervals import wilson

    count = len(rollouts)
    successes = [entry for entry in rollouts if entry.success]
    regions: dict[str, dict[str, int]] = {}
    for entry in rollouts:
        tally = regions.setdefault(entry.region, {"successes": 0, "rollouts": 0})
        tally["successes"] += entry.success
        tally["rollouts"] += 1
    return {
        "success_rate": len(successes) / count,
        "success_interval": list(wilson(len(successes), count)),
        "rollouts": count,
        "outcomes": [int(entry.success) for entry in rollouts],
        "regions": dict(sorted(regions.items())),
        "seconds_to_success": (
            sum(entry.seconds for entry in successes) / len(successes) if successes else None
        ),
        "smoothness": sum(entry.smoothness for entry in rollouts) / count,
    }


def _width(rollouts: "Sequence[Rollout]") -> float:
    """Return how wide the 95 % interval of the success rate is, 0 to 1."""
    from zk0_core.intervals import wilson

    low, high = wilson(sum(entry.success for entry in rollouts), len(rollouts))
    return high - low


def build(options: SimSuccessOptions) -> SimSuccess:
    """Return the evaluator."""
    return SimSuccess(options)


PLUGIN = EvaluatorPlugin(
    name=NAME,
    summary="Closed-loop success rate in the embedded simulator, with videos",
    options=SimSuccessOptions,
    build=build,
    reads_episodes=False,
)
