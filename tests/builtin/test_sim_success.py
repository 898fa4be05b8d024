"""How many starts are tried, which are filmed, and what is said of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from zk0_core.builtin.evaluator_sim_success import figures_of
from zk0_core.parts import build_evaluator
from zk0_core.plan import EvaluationPlan, PluginChoice
from zk0_core.protocols import EvaluationRequest
from zk0_core.sim.rollouts import Rollout, RolloutBatch
from zk0_core.testing import examples

DATASET = "sim:lift?region=all"


def rollout(start: int, success: bool) -> Rollout:
    region = "left" if start % 2 else "right"
    return Rollout(start, region, success, 2.0 + start, 4.0, "Pick up the red cube")


class ScriptedPool:
    """Starts whose number is in `wins` succeed; counts how many batches it is given at a time."""

    def __init__(self, wins: Sequence[int]) -> None:
        self.wins = set(wins)
        self.given: list[int] = []
        self.filmed: list[int] = []

    def map(self, function: Any, items: Sequence[RolloutBatch]) -> list[list[Rollout]]:
        self.given.append(len(items))
        self.filmed += [start for batch in items for start in batch.filmed]
        return [[rollout(s, s in self.wins) for s in batch.starts] for batch in items]


def evaluated(
    folder: Path, pool: ScriptedPool, *, round: int = 3, final: bool = False, **options: Any
) -> dict[str, Any]:
    choice = PluginChoice("evaluator", "sim-success", options)
    request = EvaluationRequest(
        plan=examples.plan(evaluations=(EvaluationPlan(DATASET, choice),)),
        round=round,
        dataset=DATASET,
        model=None,  # type: ignore[arg-type]  # nothing is loaded
        folder=folder,
        pool=pool,
        final=final,
    )
    return build_evaluator(choice).evaluate(request)


def test_it_stops_when_the_interval_is_narrow_enough(tmp_path: Path) -> None:
    """With no success in n starts Wilson's interval is [0, z²/(n + z²)], z² = 3.8415.

    That is 0.278 wide for 10 starts, 0.161 for 20, 0.088 for 40 and 0.060 for 60.
    """
    pool = ScriptedPool([])
    figures = evaluated(tmp_path, pool, rollouts=60, interval_width=0.17)
    assert figures["rollouts"] == 20
    assert figures["success_interval"] == [0.0, pytest.approx(3.8415 / 23.8415, abs=1e-4)]
    assert figures["outcomes"] == [0] * 20
    assert evaluated(tmp_path, pool, rollouts=60, interval_width=0.09)["rollouts"] == 40
    assert evaluated(tmp_path, pool, rollouts=60, interval_width=0.05)["rollouts"] == 60
    assert pool.given == [2, 2, 2, 2, 2, 2]


def test_half_succeeding_takes_more_starts(tmp_path: Path) -> None:
    """With n/2 successes it is z/√(n + z²) wide: 0.401 for 20 starts, 0.296 for 40."""
    pool = ScriptedPool(range(0, 60, 2))
    assert evaluated(tmp_path, pool, rollouts=60, interval_width=0.41)["rollouts"] == 20
    assert evaluated(tmp_path, pool, rollouts=60, interval_width=0.30)["rollouts"] == 40


def test_without_a_width_all_are_tried_at_once(tmp_path: Path) -> None:
    pool = ScriptedPool([])
    assert evaluated(tmp_path, pool, rollouts=60)["rollouts"] == 60
    assert evaluated(tmp_path, pool, rollouts=60, final=True, final_rollouts=5)["rollouts"] == 5
    assert pool.given == [6, 1]


@pytest.mark.parametrize(
    ("round", "final", "options", "filmed"),
    [
        (3, False, {}, [0, 1]),
        (3, False, {"videos": 3}, [0, 1, 2]),
        (3, False, {"videos": 0}, []),
        (3, False, {"video_every": 2}, []),
        (4, False, {"video_every": 2}, [0, 1]),
        (0, False, {"video_every": 2}, [0, 1]),
        (3, True, {"video_every": 2}, [0, 1]),
        (0, False, {"video_every": 0}, []),
        (3, True, {"video_every": 0}, [0, 1]),
    ],
)
def test_which_rounds_are_filmed(
    tmp_path: Path, round: int, final: bool, options: dict[str, int], filmed: list[int]
) -> None:
    pool = ScriptedPool([])
    evaluated(tmp_path, pool, round=round, final=final, rollouts=4, **options)
    assert pool.filmed == filmed


def test_figures_by_hand() -> None:
    """Starts 1 and 3, both left, succeed after 3 and 5 s."""
    figures = figures_of([rollout(start, start in (1, 3)) for start in range(4)])
    assert figures["success_rate"] == 0.5
    assert figures["seconds_to_success"] == 4.0
    assert figures["smoothness"] == 4.0
    assert figures["regions"] == {
        "left": {"successes": 2, "rollouts": 2},
        "right": {"successes": 0, "rollouts": 2},
    }
    assert figures_of([rollout(0, False)])["seconds_to_success"] is None


def test_every_dataset_has_a_folder_of_its_own(tmp_path: Path) -> None:
    evaluated(tmp_path, ScriptedPool([2]), rollouts=3)
    (written,) = tmp_path.rglob("rollouts.json")
    assert written.relative_to(tmp_path).as_posix() == "lift-all/rollouts.json"
    starts = json.loads(written.read_text())["starts"]
    assert [start["success"] for start in starts] == [False, False, True]
