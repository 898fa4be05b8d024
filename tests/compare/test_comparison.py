"""Arms are really trained, and only those that are missing."""

from pathlib import Path

import attrs
import pytest

from tests.small_runs import small_plan
from zk0_core.compare.arms import Arm, arms_of
from zk0_core.compare.comparison import compare_arms
from zk0_core.compare.runs import train_arms
from zk0_core.compare.scores import read_outcome
from zk0_core.errors import RoundError, UsageError
from zk0_core.plan import PluginChoice


@pytest.fixture(scope="module")
def arms() -> list[Arm]:
    """Centralized and one client alone, one round of one step."""
    plan = small_plan(rounds=1, local_steps=1)
    arms = arms_of(plan, PluginChoice("strategy", "fedavg"), [0])
    return [arm for arm in arms if arm.name in ("centralized", "right alone")]


@pytest.fixture(scope="module")
def trained(arms: list[Arm], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    told: list[tuple[str, int, int]] = []
    train_arms(arms, folder, 2, lambda arm, done, total: told.append((arm.name, done, total)))
    assert [done for _, done, _ in told] == [1, 2]
    return folder


def test_each_arm_is_a_run_with_its_outcomes(arms: list[Arm], trained: Path) -> None:
    for arm in arms:
        assert len(read_outcome(trained / arm.folder).successes) == 2
        assert (trained / arm.folder / "models" / "final" / "model.safetensors").is_file()


def test_what_is_there_is_not_trained_again(arms: list[Arm], trained: Path) -> None:
    histories = [trained / arm.folder / "history.jsonl" for arm in arms]
    before = [path.stat().st_mtime_ns for path in histories]
    train_arms(arms, trained, 2)
    assert [path.stat().st_mtime_ns for path in histories] == before


def test_a_run_of_another_plan_is_refused(arms: list[Arm], trained: Path) -> None:
    other = attrs.evolve(arms[0], plan=attrs.evolve(arms[0].plan, lr=0.5))
    with pytest.raises(UsageError, match=r"holds a run of another plan; choose another folder"):
        train_arms([other], trained, 1)


def test_a_failed_arm_is_named_and_leaves_nothing(arms: list[Arm], tmp_path: Path) -> None:
    client = attrs.evolve(arms[0].plan.clients[0], dataset=f"local:{tmp_path}/nowhere")
    broken = attrs.evolve(arms[0], plan=attrs.evolve(arms[0].plan, clients=(client,)))
    with pytest.raises(RoundError, match=r"1 of 1 runs failed.*centralized, seed 0: .*nowhere"):
        train_arms([broken], tmp_path, 1)
    assert not (tmp_path / broken.folder).exists()


def test_a_plan_without_closed_loop_success_is_refused(arms: list[Arm], tmp_path: Path) -> None:
    plan = attrs.evolve(arms[0].plan, evaluations=arms[0].plan.evaluations[:1])
    with pytest.raises(UsageError, match=r"no evaluation uses sim-success; add --evaluator sim"):
        compare_arms([attrs.evolve(arms[0], plan=plan)], tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
