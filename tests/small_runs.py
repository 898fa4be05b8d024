"""The embedded default made small, and what two runs of it are compared by."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import attrs

from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.preset import preset_settings
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan

TIMES = ("seconds", "seconds_data", "seconds_compute")


def small_plan(**changes: object) -> RunPlan:
    """Return the embedded default, made small: 2 clients, 3 episodes, 2 rounds of 3 steps.

    Over int8, whose clients remember what it rounded off: engines and workers must not change it.
    """
    plan = resolve_plan(preset_settings(), Registry.discover())
    clients = tuple(
        attrs.evolve(client, dataset=client.dataset.replace("episodes=50", "episodes=3"))
        for client in plan.clients[:2]
    )
    loss, success = plan.evaluations
    loss = attrs.evolve(loss, dataset="sim:lift?region=all&split=eval&episodes=2")
    options = {"rollouts": 1, "final_rollouts": 2, "videos": 1}
    success = attrs.evolve(success, evaluator=attrs.evolve(success.evaluator, options=options))
    small: dict[str, object] = {
        "rounds": 2,
        "local_steps": 3,
        "batch_size": 8,
        "clients": clients,
        "evaluations": (loss, success),
        "eval_every": 2,
        "codec": PluginChoice("codec", "int8"),
        "workers": 2,
    }
    return attrs.evolve(plan, **{**small, **changes})  # type: ignore[arg-type]  # fields by name


def model_hash(folder: Path) -> str:
    files = sorted((folder / "models" / "final").rglob("*.safetensors"))
    assert files
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def history_without_times(folder: Path, others: Collection[str] = ()) -> list[object]:
    """Return what a run recorded, round by round, without seconds and the keys in `others`."""

    def timeless(value: object) -> object:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in (*TIMES, *others)}
        return [timeless(entry) for entry in value] if isinstance(value, list) else value

    lines = (folder / "history.jsonl").read_text().splitlines()
    return [timeless(json.loads(line)) for line in lines]
