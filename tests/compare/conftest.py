"""Plans to compare, and runs as they lie on disk, without any training."""

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import pytest

from zk0_core.history import RoundRecord, to_line
from zk0_core.plan import RunPlan
from zk0_core.preset import preset_settings
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan

WriteRun = Callable[..., Path]


@pytest.fixture(scope="session")
def plan() -> RunPlan:
    """The embedded default with 3 rounds of 10 steps."""
    plan = resolve_plan(preset_settings(), Registry.discover())
    return attrs.evolve(plan, rounds=3, local_steps=10)


@pytest.fixture
def write_run() -> WriteRun:
    """Writes the history of a run that was scored from single starts."""

    def write(folder: Path, *rounds: Sequence[int], policy_loss: float = 0.5) -> Path:
        folder.mkdir(parents=True)
        lines = []
        for number, outcomes in enumerate(rounds):
            regions = {"left": {"successes": sum(outcomes), "rollouts": len(outcomes)}}
            scored = {"name": "sim:lift", "outcomes": list(outcomes), "regions": regions}
            record = RoundRecord(round=number, policy_loss=policy_loss, datasets=[scored])
            lines.append(to_line(record))
        (folder / "history.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return write
