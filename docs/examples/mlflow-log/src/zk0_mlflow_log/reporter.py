"""Tells MLflow of each round, in its file store: folders beside the run's own.

The store of runs below `outputs` is `outputs/mlruns` unless another is named. Which run of MLflow a
run's folder is, and the last round that it was told, stands in `mlflow.json` there, so that a
resumed run goes on where it was.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan

STATE = "mlflow.json"


@attrs.frozen(kw_only=True)
class MlflowOptions:
    """Options: flags `--reporter.mlflow-log.store`, keys of [[reporters]] in a run file."""

    store: str = attrs.field(
        default="", metadata={"help": "Folder of the store; empty: mlruns beside the run's."}
    )


class MlflowLog:
    """Uses MLflow's client alone, which has no state that two runs could share."""

    def __init__(self, options: MlflowOptions) -> None:
        self._options = options

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Open the run at MLflow, or the one that `folder` had there before."""
        store = Path(self._options.store or folder.absolute().parent / "mlruns")
        self._client = _client(store)
        self._state = folder / STATE
        if self._state.is_file():
            state = json.loads(self._state.read_text(encoding="utf-8"))
            self._id, self._last = state["id"], state["round"]
            return
        experiment = self._client.get_experiment_by_name("zk0")
        number = experiment.experiment_id if experiment else self._client.create_experiment("zk0")
        run = self._client.create_run(number, run_name=folder.absolute().name)
        self._id, self._last = run.info.run_id, -1
        for name in ("rounds", "local_steps", "batch_size", "lr", "seed"):
            self._client.log_param(self._id, name, getattr(plan, name))
        self._client.log_param(self._id, "strategy", plan.strategy.name)

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Log the round, and those before it that an earlier process did not get to."""
        from zk0_core.files import write_json
        from zk0_core.metric_names import named_metrics

        for each in history.rounds:
            if each.round > self._last:
                for name, value in named_metrics(each).items():
                    self._client.log_metric(self._id, plain(name), value, step=each.round)
                self._last = each.round
        write_json(self._state, {"id": self._id, "round": self._last})

    def finish(self, history: "History") -> None:
        """Say that the run is over."""
        self._client.set_terminated(self._id)


def plain(name: str) -> str:
    """Return `name` of the letters that MLflow takes: addresses of datasets have others."""
    return re.sub(r"[^\w.\-/ ]", "_", name)


def _client(store: Path) -> Any:
    import os

    # The file store is kept for those who want no database.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=store.absolute().as_uri())
