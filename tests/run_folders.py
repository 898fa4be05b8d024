"""Run folders as they lie on disk, without any training."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import attrs

from zk0_core.files import write_json
from zk0_core.history import ClientRecord, History, Refusal, RoundRecord, to_line
from zk0_core.plan import ClientPlan, EvaluationPlan, PluginChoice, RunPlan
from zk0_core.runfile import plan_to_toml
from zk0_core.testing import examples

LOSS = "sim:lift?region=all&split=eval"
TRIED = "sim:lift?region=all"

WriteRun = Callable[..., Path]


def plan(**changes: Any) -> RunPlan:
    """Return a plan of two clients, `left` and `right`, whose model is scored and tried."""
    fields: dict[str, Any] = {
        "rounds": 2,
        "clients": tuple(ClientPlan(n, f"sim:lift?region={n}") for n in ("left", "right")),
        "evaluations": (
            EvaluationPlan(LOSS, PluginChoice("evaluator", "policy-loss")),
            EvaluationPlan(TRIED, PluginChoice("evaluator", "sim-success", {"rollouts": 10})),
        ),
    }
    return examples.plan(**{**fields, **changes})


def tried(left: int, right: int, **more: Any) -> dict[str, Any]:
    """Return the figures of ten starts on each side of the table, so many of which succeeded."""
    from zk0_core.intervals import wilson

    return {
        "name": TRIED,
        "success_rate": (left + right) / 20,
        "success_interval": list(wilson(left + right, 20)),
        "rollouts": 20,
        "regions": {
            "left": {"successes": left, "rollouts": 10},
            "right": {"successes": right, "rollouts": 10},
        },
        **more,
    }


def scored(loss: float) -> dict[str, Any]:
    return {"name": LOSS, "policy_loss": loss, "episodes": 8}


def client(name: str, loss: float, **changes: Any) -> ClientRecord:
    record = examples.history(1).rounds[1].clients[0]
    dataset = f"sim:lift?region={name}"
    return attrs.evolve(record, client=name, dataset=dataset, policy_loss=loss, **changes)


def history() -> History:
    """Return a start and two rounds: success 0, then 1, then 14 of 20; one update is refused."""
    first = (client("left", 0.8, boost=1.0), client("right", 1.0, boost=1.15))
    last = (client("left", 0.2), client("right", 0.5))
    common = {"lr": 1e-3, "mu": 0.01, "bytes_up": 2000, "bytes_down": 3000, "seconds": 30.0}
    return History(
        (
            RoundRecord(
                round=0,
                policy_loss=2.0,
                success_rate=0.0,
                datasets=(scored(2.0), tried(0, 0)),
                seconds=10.0,
            ),
            RoundRecord(
                round=1,
                policy_loss=1.0,
                success_rate=0.05,
                datasets=(scored(1.0), tried(1, 0)),
                clients=first,
                refused=(Refusal("late", "NaN in head.bias"),),
                **common,
            ),
            RoundRecord(
                round=2,
                policy_loss=0.5,
                success_rate=0.7,
                datasets=(scored(0.5), tried(9, 5)),
                clients=last,
                **common,
            ),
        )
    )


def write_film(path: Path, pictures: int = 6) -> None:
    """Write a tiny MP4 that gets brighter, one picture a tenth of a second."""
    import av
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for number in range(pictures):
            grey = np.full((32, 64, 3), 40 + 30 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))


def write_run_folder(
    folder: Path,
    happened: History | None = None,
    planned: RunPlan | None = None,
    films: bool = False,
) -> Path:
    """Write a run folder: plan, history, and two films a round if asked; return it."""
    happened = history() if happened is None else happened
    folder.mkdir(parents=True)
    (folder / "plan.toml").write_text(plan_to_toml(planned or plan()))
    lines = [to_line(record) + "\n" for record in happened.rounds]
    (folder / "history.jsonl").write_text("".join(lines))
    for record in happened.rounds if films else ():
        for start in (0, 1):
            path = folder / f"evaluate/round_{record.round}/start_{start}.mp4"
            write_film(path)
            facts = {"region": "left", "success": record.round == 2, "seconds": 4.0}
            write_json(path.with_suffix(".json"), facts)
    return folder
