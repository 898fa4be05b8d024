from pathlib import Path

from zk0_cli.evaluate import default_dataset
from zk0_core.registry import Registry


def test_an_address_that_is_none(zk0) -> None:
    shown = zk0("sim", "record", "sim:lift?regoin=left&episodes=1")
    assert shown.status == 2
    assert "regoin" in shown.error
    assert shown.error.count("\n") == 1


def test_a_base_does_not_go_where_something_is(zk0, tmp_path: Path) -> None:
    (tmp_path / "NOTE.md").touch()
    shown = zk0("sim", "make-base", "--output", str(tmp_path))
    assert shown.status == 2
    assert shown.error == (
        f"Error: output folder {tmp_path} is in use; choose another with --output\n"
    )


def test_a_base_of_a_task_that_is_none(zk0, tmp_path: Path) -> None:
    shown = zk0("sim", "make-base", "--output", str(tmp_path / "base"), "--task", "stack")
    assert shown.status == 2
    assert shown.error == "Error: unknown task 'stack'; choose from lift, place, push, sort\n"


def test_a_model_that_is_not_there(zk0, tmp_path: Path) -> None:
    shown = zk0("eval", str(tmp_path / "final"))
    assert shown.status == 2
    assert shown.error == (
        f"Error: model {tmp_path}/final is no folder; name one such as outputs/demo/models/final\n"
    )


def test_an_evaluator_that_is_not_there(zk0, tmp_path: Path) -> None:
    shown = zk0("eval", str(tmp_path), "--evaluator", "sim-succes")
    assert shown.status == 2
    assert "did you mean 'sim-success'? (from --evaluator)" in shown.error


def test_evaluators_that_read_episodes_get_held_out_ones(zk0) -> None:
    registry = Registry.discover()
    assert default_dataset(registry, "sim-success") == "sim:lift?region=all&episodes=60"
    held_out = "sim:lift?region=all&split=eval&episodes=8"
    assert default_dataset(registry, "policy-loss") == held_out
    assert default_dataset(registry, "dataset-replay") == held_out
    shown = zk0("eval", "--help").out
    assert held_out in shown
