"""The fixtures, as a plugin's own tests use them; and what they cost everybody else."""

import subprocess
import sys
from pathlib import Path

import pytest

from zk0_core.parts import installed

pytest_plugins = ["pytester"]


def test_the_dataset_is_one(zk0_dataset) -> None:
    assert len(zk0_dataset.state) == sum(e.stop - e.start for e in zk0_dataset.episodes) == 15
    for camera, shape in zk0_dataset.schema.cameras.items():
        pictures = list(zk0_dataset.frames(camera))
        assert len(pictures) == 15
        assert pictures[0].shape == shape


def test_the_history_has_what_happens(zk0_history) -> None:
    assert [record.round for record in zk0_history.rounds] == list(range(7))
    assert any(record.refused for record in zk0_history.rounds)
    assert any(not record.counted for record in zk0_history.rounds)
    assert any(record.policy_loss is None for record in zk0_history.rounds)


def test_tensors_are_the_same_every_time(zk0_tensors) -> None:
    from zk0_core.tensors import fingerprint
    from zk0_core.testing import examples

    assert fingerprint(zk0_tensors) == fingerprint(examples.tensors())
    assert {str(array.dtype) for array in zk0_tensors.values()} == {"float32"}


def test_only_these_plugins_are_found(only_these_plugins) -> None:
    registry = only_these_plugins("zk0-schedulers")
    assert registry is installed()
    assert "cosine" in registry.names("scheduler")
    assert not registry.names("strategy")
    assert not only_these_plugins().names("scheduler")


def test_isolated_from_what_else_is_installed(isolated_plugins) -> None:
    assert "plugin-template" not in isolated_plugins.names("strategy")
    assert "fedavg" in isolated_plugins.names("strategy")


def test_the_allow_list_ends_with_the_test() -> None:
    assert "plugin-template" in installed().names("strategy")


def test_a_plugins_tests_are_a_subclass_of_two_lines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from zk0_core.testing import ScheduleContract

        class TestCosine(ScheduleContract):
            plugin = "cosine"

        class TestExcepted(ScheduleContract):
            plugin = "cosine"
            exceptions = {"test_it_is_pure": "for a test"}
        """
    )
    # In a process of its own, as an author runs it.
    ran = pytester.runpytest_subprocess("-rs")
    ran.assert_outcomes(passed=11, skipped=1)
    ran.stdout.fnmatch_lines(["*for a test"])


def test_other_projects_hardly_notice() -> None:
    code = "import sys, zk0_core.testing.fixtures; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(shown.stdout.split())
    assert not {"numpy", "torch", "flwr", "lerobot"} & modules
    ours = {name for name in modules if name.startswith("zk0_core.testing")}
    assert ours == {"zk0_core.testing", "zk0_core.testing.fixtures"}


def test_an_empty_project_passes_with_all_warnings_as_errors(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nothing_but_the_fixtures_needs_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from zk0_core import testing\n"
        "[getattr(testing, name) for name in testing.__all__]\n"
        "import zk0_core.testing.runner, zk0_core.testing.loopback, zk0_core.testing.examples"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
