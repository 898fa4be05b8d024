"""What answers at once: help and listings import nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "flwr", "lerobot", "mujoco", "wandb", "matplotlib", "numpy", "transformers"}

# Runs the command in this process and prints which modules came with it, on a line of its own.
PROBE = """
import sys
from zk0_cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print()
print(" ".join({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(
    "command",
    ["--help", "run --help", "plugins list", "plugins list --json", "plugins test --help"],
)
def test_imports_nothing_heavy(command: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *command.split()], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    imported = set(result.stdout.splitlines()[-1].split())
    assert not imported & HEAVY


@pytest.mark.parametrize("policy", ["smolvla-tiny", "lerobot --policy.path=nowhere"])
def test_a_plan_is_made_without_what_only_training_needs(policy: str) -> None:
    """Defaults of the policy are asked for, since no flag gives lr."""
    command = f"run --dry-run --policy {policy}"
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *command.split()], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert not set(result.stdout.splitlines()[-1].split()) & HEAVY


SCHEDULES = """
import sys
from zk0_core import Span
from zk0_core.registry import Registry
from zk0_core.testing.schedule import eventful
found = [p for p in Registry.discover().plugins if p.kind in ("scheduler", "mu-scheduler")]
for plugin in found:
    schedule = plugin.record.build(plugin.record.options())
    for round in range(1, 41):
        schedule.value(round, Span.constant(0.01), eventful(round - 1), "ann")
print(len(found), *{name.partition(".")[0] for name in sys.modules})
"""


def test_schedules_compute_without_anything_heavy() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", SCHEDULES], capture_output=True, text=True, check=True
    )
    count, *imported = shown.stdout.split()
    assert int(count) >= 9
    assert not set(imported) & HEAVY


def test_public_interface_imports_nothing_heavy() -> None:
    code = "import sys, zk0_core; print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(shown.stdout.split()) & HEAVY
