"""Runs on the federation `crowd` that take long enough to be hit in their middle."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.network.world import World, wait_until

NAMES = ("ann", "bob", "cem")
STEP_SECONDS = 1.0
"""A round has three steps: long enough to be hit in its middle."""


def submit(world: World, rounds: int, **asked: object) -> tuple[subprocess.Popen[bytes], Path]:
    """Submit a run with the command; return it and the run's output folder."""
    run_file = world.run_file("ann", rounds=rounds, seconds=STEP_SECONDS)
    output = world.path / f"out-{len(list(world.path.glob('out-*')))}"
    flags = [word for name, value in asked.items() for word in (f"--{name}", str(value))]
    process = world.start(
        *("-m", "zk0_cli", "run", str(run_file), "--federation", "main"),
        *("--output", str(output), *flags),
        who="server",
        log=world.path / f"{output.name}.txt",
    )
    return process, output


def rounds(output: Path) -> list[dict[str, Any]]:
    path = output / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def trained(output: Path) -> list[set[str]]:
    """Return whose updates counted, round by round."""
    return [{client["client"] for client in entry["clients"]} for entry in rounds(output)]


def await_training(world: World, name: str) -> None:
    wait_until(
        f"{name} trains",
        lambda: world.node(name).get("state") == "training" and world.node(name)["round"] >= 1,
    )


def await_round(world: World, output: Path, number: int) -> None:
    try:
        wait_until(f"round {number}", lambda: len(rounds(output)) > number)
    except AssertionError as late:
        raise AssertionError(f"{late}\n{world.said()}") from None


def ends_well(world: World, process: subprocess.Popen[bytes], output: Path, number: int) -> None:
    status = wait_until("the run ends", lambda: process.poll() is not None and [process.poll()])
    assert status == [0], world.said()
    assert [entry["round"] for entry in rounds(output)] == list(range(number + 1))
