"""`zk0 import`: an older project's settings, and an account of each of its keys."""

from pathlib import Path

import pytest
import tomli
from conftest import Outcome, Zk0

from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.runfile import read_run_file

EVERYTHING = """
[tool.flwr.app]
publisher = "someone"

[tool.flwr.app.config]
num-server-rounds = 20
local-epochs = 200
model-name = "someone/smolvla"
model_type = "smolvla"
fraction-fit = 1
min-fit-clients = 2
fraction-evaluate = 1
batch_size = 16
server-device = "gpu"
use-wandb = false
eval-frequency = 5
eval_batches = 4
checkpoint_interval = 10
hf_repo_id = "someone/model"
proximal_mu = 0.02
initial_lr = 5e-4
dynamic_training_decay = true
scheduler_type = "cosine_warm_restarts"
cosine_warm_restarts_T_0 = 12
cosine_warm_restarts_T_mult = 3
eta_min = 1e-6
adaptive_lr_enabled = true
adaptive_mu_enabled = true
stall_patience = 5
high_loss_multiplier = 2.5
lr_boost_factor = 1.2
loss_std_threshold = 1.1
mu_adjust_factor = 1.04
mu_min = 0.002
adjustment_window = 6
spike_threshold = 0.4
max_adjust_factor = 1.1
outlier_client_ids = "1"

[tool.zk0.logging]
level = "DEBUG"

[tool.flwr.federations]
default = "local-simulation"

[tool.zk0.datasets]
clients = [
    {name = "b/second", description = "Turn to the right", client_id = 1},
    {name = "a/first", description = "Put the red brick in the bin", client_id = 0},
    {name = "/data/my desk", client_id = 2, gripper = "new"},
]
server = [
    {name = "c/test", description = "Two cubes", evaldata_id = 0},
    {name = "b/second", evaldata_id = 1},
]
force_opencv_backend = true
"""

LITTLE = """
[tool.flwr.app.config]
{config}
[tool.zk0.datasets]
clients = [{{name = "a/first"}}, {{name = "b/second"}}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pyproject.toml"


def imported(zk0: Zk0, project: Path, text: str) -> Outcome:
    project.write_text(text)
    return zk0("import", project, "--json")


def plan_of(project: Path):
    return resolve_plan(read_run_file(project.parent / "run.toml"), Registry.discover())


def test_everything_that_has_a_place_goes_there(zk0: Zk0, project: Path) -> None:
    assert imported(zk0, project, EVERYTHING).status == 0
    plan = plan_of(project)
    assert (plan.rounds, plan.local_steps, plan.batch_size, plan.lr) == (20, 200, 16, 5e-4)
    assert (plan.fraction, plan.min_updates, plan.device) == (1.0, 2, "cuda")
    assert (plan.eval_every, plan.checkpoint_every, plan.eta_min) == (5, 10, 1e-6)
    assert plan.optimizer_state == "reset"
    assert (plan.policy.name, plan.policy.options["path"]) == ("lerobot", "someone/smolvla")
    assert (plan.strategy.name, plan.strategy.options["mu"]) == ("fedprox", 0.02)
    warm, trend, boost = plan.schedulers
    assert warm.name == "warm-restarts"
    assert warm.options == {"t_0": 12, "t_mult": 3, "eta_min": 1e-6}
    assert trend.name == "trend"
    assert trend.options["adjustment_window"] == 6
    assert trend.options["spike_threshold"] == 0.4
    assert trend.options["max_adjust_factor"] == 1.1
    assert boost.name == "adaptive-boost"
    assert boost.options == {"high_loss_multiplier": 2.5, "lr_boost_factor": 1.2}
    (spread,) = plan.mu_schedulers
    assert spread.name == "loss-spread"
    assert spread.options == {"loss_std_threshold": 1.1, "mu_adjust_factor": 1.04, "mu_min": 0.002}


def test_datasets_come_in_order_and_what_is_scored_is_held_out(zk0: Zk0, project: Path) -> None:
    imported(zk0, project, EVERYTHING)
    plan = plan_of(project)
    assert [client.dataset for client in plan.clients] == [
        "hf:a/first",
        "hf:b/second?eval_episodes=5",
        "local:/data/my%20desk",
    ]
    assert [(e.dataset, e.evaluator.name) for e in plan.evaluations] == [
        ("hf:c/test?eval_episodes=5", "policy-loss"),
        ("hf:b/second?eval_episodes=5", "policy-loss"),
    ]
    text = (project.parent / "run.toml").read_text()
    assert '# Put the red brick in the bin\n[[clients]]\ndataset = "hf:a/first"' in text


def test_every_key_is_accounted_for(zk0: Zk0, project: Path) -> None:
    account = imported(zk0, project, EVERYTHING).json
    config = tomli.loads(EVERYTHING)["tool"]["flwr"]["app"]["config"]
    left = {entry["key"]: entry["reason"] for entry in account["left"]}
    carried = {entry["key"] for entry in account["carried"]}
    assert set(config) == (carried | left.keys()) & config.keys()
    assert not carried & left.keys()
    assert left == {
        "eval_batches": "policy-loss takes every frame of the last 5 episodes",
        "fraction-evaluate": "the server evaluates, clients are not asked to",
        "hf_repo_id": "zk0 push publishes a model when its run is over",
        "model_type": "the policy's own files say what it is",
        "outlier_client_ids": "zk0 has no such setting",
        "stall_patience": "what it belongs to is not in use",
        "tool.flwr.federations": "engine, workers and device of a run file say where clients run",
        "tool.zk0.datasets.clients.gripper": "zk0 has no such setting",
        "tool.zk0.datasets.force_opencv_backend": "zk0 has no such setting",
        "tool.zk0.logging": "zk0 has no such setting",
    }
    # The file says it too.
    text = (project.parent / "run.toml").read_text()
    assert all(f"{key}" in text and reason in text for key, reason in left.items())


def test_the_table_for_people(zk0: Zk0, project: Path) -> None:
    project.write_text(EVERYTHING)
    lines = zk0("import", project, "--output", "old.toml").out.splitlines()
    assert [" ".join(line.split()) for line in lines[:2]] == [
        "THERE VALUE HERE",
        "num-server-rounds 20 rounds",
    ]
    assert any(line.startswith("NOT CARRIED OVER") for line in lines)
    assert lines[-1] == "run file: old.toml; zk0 run old.toml --dry-run shows the plan"


def test_what_is_unset_is_as_it_was_then(zk0: Zk0, project: Path) -> None:
    account = imported(zk0, project, LITTLE.format(config="num-server-rounds = 3")).json
    assert account["left"] == []
    plan = plan_of(project)
    assert [choice.name for choice in plan.schedulers] == ["cosine"]
    assert plan.mu_schedulers == ()
    assert plan.strategy.options["mu"] == 0.01
    assert plan.policy.options["path"] == "lerobot/smolvla_base"


def test_reduce_on_plateau(zk0: Zk0, project: Path) -> None:
    text = 'scheduler_type = "reduce_on_plateau"\nstall_patience = 7\nadaptive_mu_enabled = false'
    account = imported(zk0, project, LITTLE.format(config=text)).json
    assert account["left"] == []
    (plateau,) = plan_of(project).schedulers
    assert (plateau.name, plateau.options["stall_patience"]) == ("reduce-on-plateau", 7)


def test_weights_and_biases_where_there_is_a_reporter(
    zk0: Zk0, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for installed in (("console", "wandb"), ("console",)):
        monkeypatch.setattr(Registry, "names", lambda self, kind, found=installed: found)
        monkeypatch.setattr("zk0_core.older_projects.project._check", lambda *args: None)
        account = imported(zk0, project, LITTLE.format(config="use-wandb = true")).json
        left = {entry["key"]: entry["reason"] for entry in account["left"]}
        assert left == (
            {} if "wandb" in installed else {"use-wandb": "no reporter 'wandb' is installed"}
        )
        (project.parent / "run.toml").unlink()


@pytest.mark.parametrize(
    ("config", "left"),
    [
        ("min-fit-clients = 5", ("min-fit-clients", "a round asks 2 of 2 clients")),
        (
            "server-device = 'tpu'",
            ("server-device", "device must be auto, cpu, cuda, cuda:N or mps"),
        ),
    ],
)
def test_what_does_not_fit_is_left(
    zk0: Zk0, project: Path, config: str, left: tuple[str, str]
) -> None:
    (entry,) = imported(zk0, project, LITTLE.format(config=config)).json["left"]
    assert (entry["key"], entry["reason"]) == left


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "scheduler_type = 'cosine_warm_restarts'\ncosine_warm_restarts_T_mult = 1.2",
            "cosine_warm_restarts_T_mult must be a whole number ≥ 1, got 1.2; 1 (cycles all alike) "
            "or 2 (each cycle 2 times longer) was probably meant (from {path})",
        ),
        (
            "scheduler_type = 'linear'",
            "scheduler_type must be one of cosine, cosine_warm_restarts, reduce_on_plateau, "
            "got 'linear' (from {path})",
        ),
        (
            "proximal_mu = -1",
            "strategy.mu must be ≥ 0, got -1.0 (from {path}); there it is proximal_mu",
        ),
        (
            "num-server-rounds = 0",
            "rounds must be ≥ 1, got 0 (from {path}); there it is num-server-rounds",
        ),
        *(
            (
                f"fraction-fit = {value}\nmin-fit-clients = 2",
                f"fraction must be a number above 0 and at most 1, got {said} (from {{path}}); "
                "there it is fraction-fit",
            )
            for value, said in (
                ("'half'", "'half'"),
                ("[1]", "[1]"),
                ("true", "True"),
                ("nan", "nan"),
            )
        ),
    ],
)
def test_values_that_are_refused(zk0: Zk0, project: Path, config: str, message: str) -> None:
    outcome = imported(zk0, project, LITTLE.format(config=config))
    assert outcome.status == 2
    assert outcome.error == f"Error: {message.format(path=project)}\n"
    assert not (project.parent / "run.toml").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[tool.zk0]\n",
            "has no table [tool.flwr.app.config]; name the pyproject.toml of an older",
        ),
        ("[tool.flwr.app.config]\nbatch_size = 2\n", "names no clients in [tool.zk0.datasets]; "),
        ("[tool", "is not TOML: "),
    ],
)
def test_files_that_are_no_older_project(zk0: Zk0, project: Path, text: str, message: str) -> None:
    outcome = imported(zk0, project, text)
    assert outcome.status == 2
    assert outcome.error.startswith(f"Error: {project} {message}")


def test_a_missing_file_and_one_that_would_be_written_over(zk0: Zk0, project: Path) -> None:
    assert zk0("import", "nowhere.toml").error == (
        "Error: nowhere.toml is not there; check the path\n"
    )
    (project.parent / "run.toml").write_text("rounds = 1\n")
    outcome = imported(zk0, project, EVERYTHING)
    assert (outcome.status, outcome.error) == (
        2,
        "Error: run file run.toml is there already; choose another with --output\n",
    )
    assert (project.parent / "run.toml").read_text() == "rounds = 1\n"
