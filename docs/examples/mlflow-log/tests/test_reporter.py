"""What MLflow is told, read back from its store."""

from pathlib import Path

from mlflow import MlflowClient
from zk0_mlflow_log.reporter import MlflowLog, MlflowOptions, plain

from zk0_core.history import History
from zk0_core.testing import examples

HISTORY = examples.history(3)


def tell(folder: Path, first: int, last: int) -> None:
    """Tell of the rounds `first` to `last`, as a process does that starts at `first`."""
    reporter = MlflowLog(MlflowOptions())
    reporter.start(examples.plan(rounds=3), folder)
    for count in range(first + 1, last + 2):
        reporter.round(HISTORY.rounds[count - 1], History(HISTORY.rounds[:count]))
    reporter.finish(HISTORY)


def test_a_resumed_run_is_one_run_with_every_round_once(tmp_path: Path) -> None:
    """Both processes find the same run of MLflow."""
    folder = tmp_path / "outputs" / "demo"
    folder.mkdir(parents=True)
    tell(folder, 0, 1)
    # The process ended while round 2 was recorded; the next one starts with round 3.
    tell(folder, 3, 3)
    client = MlflowClient(tracking_uri=(tmp_path / "outputs" / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("zk0")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "demo"
    assert run.data.params["strategy"] == "fedprox"
    losses = client.get_metric_history(run.info.run_id, "client/ann/policy_loss")
    assert [(metric.step, metric.value) for metric in losses] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_names_have_no_letters_that_mlflow_refuses() -> None:
    """Addresses of datasets have some."""
    name = "server/evaluation/sim:lift?region=left&split=eval/success_rate"
    assert plain(name) == "server/evaluation/sim_lift_region_left_split_eval/success_rate"
    assert plain("client/left-desk/loss") == "client/left-desk/loss"
