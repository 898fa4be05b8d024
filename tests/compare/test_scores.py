"""What is read from runs, and the words about it."""

from pathlib import Path

import pytest

from tests.compare.conftest import WriteRun
from zk0_core.compare.arms import ALONE, Arm, arms_of
from zk0_core.compare.comparison import compare_runs
from zk0_core.compare.picture import draw_scores
from zk0_core.compare.scores import as_json, best_alone, differences, read_outcome, scores_of
from zk0_core.errors import DataError, UsageError
from zk0_core.history import RoundRecord, to_line
from zk0_core.plan import PluginChoice, RunPlan


@pytest.fixture
def arms(plan: RunPlan, tmp_path: Path, write_run: WriteRun) -> list[Arm]:
    """Two seeds of four starts: federated 1 1 1 0, centralized all, alone one or none."""
    arms = arms_of(plan, PluginChoice("strategy", "fedavg"), [0, 1])
    for arm in arms:
        end = {"federated": (1, 1, 1, 0), "centralized": (1, 1, 1, 1)}.get(arm.name, (0, 0, 0, 0))
        if arm.name == "left alone":
            end = (1, 0, 0, arm.seed)
        write_run(tmp_path / arm.folder, (0, 0, 0, 0), end)
    return arms


def test_scores_over_seeds_and_starts(arms: list[Arm], tmp_path: Path) -> None:
    scores = {score.name: score for score in scores_of(arms, tmp_path)}
    assert list(scores)[:3] == ["untrained", "federated", "centralized"]
    assert scores["untrained"].rate == 0
    assert scores["federated"].rate == 0.75
    # Seed 0 has 1 of 4, seed 1 has 2 of 4: 3 of 8.
    assert scores["left alone"].rate == 0.375
    assert scores["left alone"].regions == {"left": {"successes": 3, "rollouts": 8}}
    assert scores["left alone"].datasets == {"sim:lift": {"successes": 3, "rollouts": 8}}
    assert scores["left alone"].policy_loss == 0.5


def test_each_task_counts_for_itself(tmp_path: Path) -> None:
    datasets = [
        {"name": "sim:lift", "outcomes": [1, 0], "regions": {}},
        {"name": "sim:lift?split=eval", "policy_loss": 0.5},
        {"name": "sim:sort", "outcomes": [0, 0, 1], "regions": {}},
    ]
    record = RoundRecord(round=0, policy_loss=0.5, datasets=datasets)
    (tmp_path / "history.jsonl").write_text(to_line(record) + "\n")
    outcome = read_outcome(tmp_path)
    assert outcome.successes.tolist() == [1, 0, 0, 0, 1]
    assert outcome.datasets == {
        "sim:lift": {"successes": 1, "rollouts": 2},
        "sim:sort": {"successes": 1, "rollouts": 3},
    }


def test_differences_are_against_the_best_alone_and_centralized(
    arms: list[Arm], tmp_path: Path
) -> None:
    scores = scores_of(arms, tmp_path)
    assert best_alone(scores, ALONE).name == "left alone"
    found = {entry.against: entry for entry in differences(scores)}
    assert found["left alone"].mean == pytest.approx(0.375)
    assert found["centralized"].mean == pytest.approx(-0.25)
    assert found["centralized"].low <= -0.25 <= found["centralized"].high
    assert len(found) == 3


def test_everything_is_there_as_json_and_as_a_picture(arms: list[Arm], tmp_path: Path) -> None:
    scores = scores_of(arms, tmp_path)
    entry = as_json(scores)["arms"][1]
    assert entry["outcomes"] == [[1, 1, 1, 0], [1, 1, 1, 0]]
    assert entry["success_by_seed"] == [0.75, 0.75]
    draw_scores(scores, tmp_path / "compare.png")
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_two_runs_are_paired_by_start(tmp_path: Path, write_run: WriteRun) -> None:
    one = write_run(tmp_path / "one", (1, 1, 0, 1))
    other = write_run(tmp_path / "other", (1, 0, 0, 0))
    first, second, difference = compare_runs(one, other)
    assert (first.rate, second.rate) == (0.75, 0.25)
    assert difference.mean == 0.5


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no run: history.jsonl is not there; name a run's"):
        read_outcome(tmp_path)


def test_a_run_without_closed_loop_success(tmp_path: Path, write_run: WriteRun) -> None:
    with pytest.raises(DataError, match=r"no closed-loop success to compare; evaluate it with sim"):
        read_outcome(write_run(tmp_path / "run", ()))


def test_runs_tried_from_other_starts(tmp_path: Path, write_run: WriteRun) -> None:
    one, other = write_run(tmp_path / "one", (1, 1)), write_run(tmp_path / "other", (1,))
    with pytest.raises(UsageError, match=r"from 2 starts and .* from 1; compare runs that"):
        compare_runs(one, other)
