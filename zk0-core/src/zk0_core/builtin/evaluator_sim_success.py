"""Closed-loop success in the embedded simulator: does the arm do what it was told?"""

from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.options import ge
from zk0_core.records import EvaluatorPlugin

if TYPE_CHECKING:
    from zk0_core.protocols import EvaluationRequest


@attrs.frozen(kw_only=True)
class SimSuccessOptions:
    """Options of `sim-success`."""

    rollouts: int = attrs.field(
        default=20, validator=ge(1), metadata={"help": "Starts per evaluation, 1 or more."}
    )
    final_rollouts: int = attrs.field(
        default=60, validator=ge(1), metadata={"help": "Starts in the last evaluation of a run."}
    )
    videos: int = attrs.field(
        default=2, validator=ge(0), metadata={"help": "Rollouts filmed per evaluation; 0 is none."}
    )


class SimSuccess:
    """Rolls the policy out from the same starts at every evaluation."""

    def __init__(self, options: SimSuccessOptions) -> None:
        self._options = options

    def evaluate(self, request: "EvaluationRequest") -> dict[str, Any]:
        """Return success rate, its 95 % Wilson interval, and success per region of the table.

        Keys: `success_rate`, `success_interval`, `rollouts`, `outcomes` (1 or 0 for each start, in
        order), `regions` (name to successes and rollouts), `seconds_to_success` (mean over
        successes, None without any), `smoothness` (mean squared jerk of the joints, degrees per
        step cubed, squared).
        """
        from zk0_core.files import write_json
        from zk0_core.intervals import wilson
        from zk0_core.sim.rollouts import RolloutBatch, roll_out, split_starts
        from zk0_core.sim.spec import SimSpec

        options = self._options
        count = options.final_rollouts if request.final else options.rollouts
        spec = SimSpec.parse(request.dataset)
        jobs = [
            RolloutBatch(
                model=request.model,
                region=spec.region,
                instruction=spec.instruction,
                starts=starts,
                filmed=tuple(start for start in starts if start < options.videos),
                folder=request.folder,
            )
            for starts in split_starts(count)
        ]
        rollouts = [entry for batch in request.pool.map(roll_out, jobs) for entry in batch]
        successes = [entry for entry in rollouts if entry.success]
        regions: dict[str, dict[str, int]] = {}
        for entry in rollouts:
            tally = regions.setdefault(entry.region, {"successes": 0, "rollouts": 0})
            tally["successes"] += entry.success
            tally["rollouts"] += 1
        figures = {
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
        write_json(
            request.folder / "rollouts.json",
            {"dataset": request.dataset, **figures, "starts": [attrs.asdict(r) for r in rollouts]},
        )
        return figures


def build(options: SimSuccessOptions) -> SimSuccess:
    """Return the evaluator."""
    return SimSuccess(options)


PLUGIN = EvaluatorPlugin(
    name="sim-success",
    summary="Closed-loop success rate in the embedded simulator, with videos",
    options=SimSuccessOptions,
    build=build,
    reads_episodes=False,
)
