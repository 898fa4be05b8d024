"""The worked examples: each one is installed from its wheel, holds its contract, and is used."""

import json
from pathlib import Path

import pytest
from environment import REPOSITORY, called, install_wheels, wheel

EXAMPLES = sorted(path.parent for path in (REPOSITORY / "docs" / "examples").glob("*/README.md"))

SAMPLE = """
import pathlib, sys
from zk0_csv.sample import write_sample
write_sample(pathlib.Path(sys.argv[1]), reach=float(sys.argv[2]))
"""
"""Writes a small recording of CSV logs."""

LOGGED = """
import os, pathlib, sys
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=pathlib.Path(sys.argv[1]).absolute().as_uri())
(run,) = client.search_runs([client.get_experiment_by_name("zk0").experiment_id])
print(run.info.status, len(client.get_metric_history(run.info.run_id, "client/left/loss")))
"""
"""Prints a run's state at MLflow, and for how many rounds it has a client's loss."""

pytestmark = pytest.mark.long


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_installed_and_holds(example: Path, bin: Path, tmp_path: Path) -> None:
    made = wheel(example, tmp_path)
    install_wheels(bin, made)
    distribution = made.name.partition("-")[0].replace("_", "-")
    listed = json.loads(called(bin / "zk0", "plugins", "list", "--json", cwd=tmp_path))
    (plugin,) = (row for row in listed if row["distribution"] == distribution)
    assert plugin["status"] == "ok"
    shown = called(bin / "zk0", "plugins", "show", plugin["kind"], plugin["name"], cwd=tmp_path)
    assert plugin["summary"] in shown
    # The tests run the contract, as `zk0 plugins test` does.
    quiet = ("-q", "-p", "no:cacheprovider")
    assert " passed" in called(bin / "python", "-m", "pytest", *quiet, cwd=example)


def test_a_run_of_nothing_but_the_examples(bin: Path, tmp_path: Path) -> None:
    """Six kinds of plugin by others in one run, of two rounds and two clients."""
    install_wheels(bin, *(wheel(example, tmp_path) for example in EXAMPLES))
    for name, reach in (("left", 30), ("right", 20)):
        called(bin / "python", "-c", SAMPLE, name, reach, cwd=tmp_path)
    left, right = (f"csv:{tmp_path / name}?eval_episodes=1" for name in ("left", "right"))

    called(
        *(bin / "zk0", "run", "--policy", "act", "--policy.dim-model", 32),
        *("--policy.chunk-size", 8, "--policy.n-action-steps", 4),
        *("--client", left, "--client", right, "--eval", left),
        *("--strategy", "fed-nova", "--scheduler", "one-cycle", "--scheduler.rounds", 2),
        *("--evaluator", "action-smoothness", "--reporter", "mlflow-log"),
        *("--rounds", 2, "--local-steps", 2, "--batch-size", 2, "--output", "runs/one"),
        cwd=tmp_path,
    )

    run = tmp_path / "runs" / "one"
    plan = (run / "plan.toml").read_text()
    for name in ("act", "action-smoothness", "csv", "fed-nova", "mlflow-log", "one-cycle"):
        assert f'distribution = "zk0-{name}"' in plan
    start, *rounds = map(json.loads, (run / "history.jsonl").read_text().splitlines())
    assert [len(record["clients"]) for record in rounds] == [2, 2]
    assert not any(record["refused"] for record in rounds)
    hashes = [record["params_hash"] for record in (start, *rounds)]
    assert len(set(hashes)) == 3
    assert rounds[-1]["datasets"][0]["action_jerk"] > 0
    logged = called(bin / "python", "-c", LOGGED, "runs/mlruns", cwd=tmp_path)
    assert logged.split() == ["FINISHED", "2"]
