import json
from pathlib import Path

import pytest

from zk0_core.history import History, RoundRecord
from zk0_core.plan import RunPlan
from zk0_core.run import RunResult
from zk0_core.runfile import plan_from_json
from zk0_core.server.budget import RoundBudget
from zk0_core.server.output import RunFolder


@pytest.fixture
def plan_of(zk0):
    """Returns the plan that a command line resolves to."""

    def plan_of(*arguments: str) -> RunPlan:
        shown = zk0("run", *arguments, "--dry-run", "--json")
        assert shown.status == 0, shown.error
        return plan_from_json(shown.out)

    return plan_of


# With these, no policy family is asked for its defaults, which imports torch.
GIVEN = ("--lr", "0.001", "--batch-size", "8")


def test_flags_go_over_the_file_over_the_defaults(plan_of, run_file: str) -> None:
    plan = plan_of(run_file, "--seed", "7", "--local-steps", "5", "--lr", "0.01")
    assert (plan.rounds, plan.seed, plan.local_steps, plan.lr) == (1, 7, 5, 0.01)
    assert plan.strategy.options["mu"] == 0.01


def test_without_arguments_the_embedded_default(plan_of) -> None:
    plan = plan_of(*GIVEN)
    assert [client.name for client in plan.clients] == ["right", "mid-right", "mid-left", "left"]
    assert plan.strategy.name == "fedprox"
    assert [choice.name for choice in plan.schedulers] == ["warm-restarts"]


def test_every_choice_has_a_flag(plan_of, run_file: str) -> None:
    plan = plan_of(
        run_file,
        *("--strategy", "fedprox", "--mu-scheduler", "constant"),
        *("--scheduler", "warm-restarts", "--scheduler", "cosine", "--policy", "smolvla-tiny"),
        *("--client", "local:/a/desk", "--client", "sim:lift?region=left&episodes=50"),
        *("--eval", "sim:lift?region=all&split=eval&episodes=2", "--evaluator", "policy-loss"),
        *("--reporter", "console", "--codec", "bfloat16"),
        *("--rounds", "2", "--fraction", "0.5", "--min-updates", "1", "--eval-every", "2"),
        *("--engine", "ray", "--workers", "2", "--device", "cuda:1"),
    )
    assert [choice.name for choice in plan.schedulers] == ["warm-restarts", "cosine"]
    assert plan.mu_schedulers[0].name == "constant"
    assert [client.name for client in plan.clients] == ["desk", "left"]
    assert plan.evaluations[0].evaluator.name == "policy-loss"
    assert [choice.name for choice in plan.reporters] == ["console"]
    assert plan.codec.name == "bfloat16"
    assert (plan.fraction, plan.min_updates, plan.eval_every) == (0.5, 1, 2)
    assert (plan.engine, plan.workers, plan.device) == ("ray", 2, "cuda:1")


def test_a_device_that_is_not_there(zk0, run_file: str) -> None:
    outcome = zk0("run", run_file, "--device", "cuda:99")
    assert (outcome.status, outcome.error) == (
        2,
        "Error: device cuda:99 is not usable here; choose --device cpu, or see zk0 doctor\n",
    )


def test_a_run_is_resumed_on_the_device_that_it_was_on(zk0, plan_of, run_file, tmp_path) -> None:
    """On another one it would not be the same run."""
    output = RunFolder.create(tmp_path / "run")
    output.write_plan(plan_of(run_file, "--device", "cuda:99"))
    outcome = zk0("resume", str(output.path))
    assert (outcome.status, outcome.error) == (
        2,
        "Error: device cuda:99 is not usable here; zk0 run --device cpu starts a run of its own, "
        "or see zk0 doctor\n",
    )


def test_options_of_plugins(plan_of, run_file: str) -> None:
    plan = plan_of(
        run_file,
        *("--strategy.mu", "0.05", "--scheduler", "warm-restarts", "--scheduler", "cosine"),
        *("--scheduler.warm-restarts.t-0=10", "--scheduler.cosine.eta-min", "1e-6"),
        *("--policy.chunk-size", "4", "--policy.n-action-steps", "2"),
    )
    assert plan.strategy.options["mu"] == 0.05
    assert plan.schedulers[0].options["t_0"] == 10
    assert plan.schedulers[1].options["eta_min"] == 1e-6
    assert plan.policy.options == {
        "chunk_size": 4,
        "n_action_steps": 2,
        "noise_scale": 0.0,
        "base": "lift",
    }


def test_an_option_of_an_evaluator(plan_of) -> None:
    plan = plan_of(*GIVEN, "--evaluator.sim-success.rollouts", "10")
    assert plan.evaluations[1].evaluator.options["rollouts"] == 10
    assert plan.evaluations[1].evaluator.options["final_rollouts"] == 60


def test_one_evaluator_keeps_its_dataset_and_options(plan_of) -> None:
    plan = plan_of(*GIVEN, "--evaluator", "sim-success", "--evaluator.rollouts", "5")
    (evaluation,) = plan.evaluations
    assert evaluation.dataset == "sim:lift?region=all&episodes=60"
    assert evaluation.evaluator.options["final_rollouts"] == 60


def test_eval_without_evaluator_is_policy_loss(plan_of) -> None:
    uri = "sim:lift?region=left&split=eval&episodes=2"
    (evaluation,) = plan_of(*GIVEN, "--eval", uri).evaluations
    assert (evaluation.dataset, evaluation.evaluator.name) == (uri, "policy-loss")


def test_own_clients_leave_simulated_evaluations_out(plan_of) -> None:
    assert plan_of(*GIVEN, "--client", "local:/a").evaluations == ()
    assert len(plan_of(*GIVEN, "--client", "sim:lift?region=left&episodes=5").evaluations) == 2


def test_episodes_per_client(plan_of) -> None:
    plan = plan_of(*GIVEN, "--episodes-per-client", "4")
    assert plan.clients[0].dataset == "sim:lift?region=right&episodes=4"


def test_a_preset_below_a_file(plan_of, run_file: str) -> None:
    plan = plan_of(run_file, "--preset", "four-regions")
    assert plan.rounds == 1
    assert [client.dataset for client in plan.clients] == ["local:/data/left"]
    assert plan.schedulers[0].name == "warm-restarts"


def test_an_option_that_one_of_several_has_is_that_ones(zk0, run_file: str) -> None:
    flags = ("--scheduler", "warm-restarts", "--scheduler", "cosine", "--scheduler.t-0", 7)
    shown = zk0("run", run_file, *map(str, flags), "--dry-run")
    assert "t_0 = 7" in shown.out


def test_dry_run_prints_toml(zk0, run_file: str) -> None:
    shown = zk0("run", run_file, "--dry-run")
    assert shown.status == 0
    assert '[strategy]\nkind = "strategy"\nname = "fedprox"' in shown.out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--rounds 0", "rounds must be ≥ 1, got 0 (from --rounds)"),
        ("--rounds=-3", "rounds must be ≥ 1, got -3 (from --rounds)"),
        ("--rounds ten", "rounds must be a whole number ≥ 1, got 'ten' (from --rounds)"),
        ("--strategy fedprx", "did you mean 'fedprox'? (from --strategy)"),
        ("--scheduler cosin", "unknown scheduler 'cosin'; choose from "),
        ("--policy pi", "unknown policy 'pi'; choose from "),
        ("--codec float16", "unknown codec 'float16'; choose from "),
        ("--reporter consol", "did you mean 'console'? (from --reporter)"),
        ("--client s4:desk", "unknown loader 's4'; choose from "),
        ("--strategy.mu -1.0", "strategy.mu must be ≥ 0, got -1.0 (from --strategy.mu)"),
        ("--strategy.mu abc", "strategy.mu must be a number ≥ 0, got 'abc' (from --strategy.mu)"),
        ("--strategy.nu 1", "strategy.nu is unknown; the choices are personal, norm_clip,"),
        ("--strategy.mu", "--strategy.mu needs a value; write --strategy.mu VALUE"),
        ("--strategy.a.b.c 1", "--strategy.a.b.c names no option; write --strategy.OPTION or"),
        (
            "--scheduler.cosine.eta-min 1",
            "--scheduler.cosine.eta-min: no scheduler is chosen; add --scheduler NAME",
        ),
        (
            "--scheduler warm-restarts --scheduler.cosine.eta-min 1",
            "scheduler 'cosine' is not chosen; chosen: warm-restarts",
        ),
        (
            "--scheduler warm-restarts --scheduler cosine --scheduler.eta-min 1",
            "--scheduler.eta-min: several have it; write --scheduler.warm-restarts.eta-min or "
            "--scheduler.cosine.eta-min",
        ),
        (
            "--scheduler warm-restarts --scheduler cosine --scheduler.t-zero 1",
            "--scheduler.t-zero: none of warm-restarts, cosine has it; zk0 plugins show scheduler "
            "NAME lists what each has\n",
        ),
        (
            "--scheduler warm-restarts --scheduler cosine --scheduler.eta-mim 1",
            "NAME lists what each has; did you mean '--scheduler.eta-min'?\n",
        ),
        (
            "--scheduler warm-restarts --scheduler.t-mult 1.2",
            "scheduler.t_mult must be a whole number ≥ 1, got 1.2; did you mean 1 or 2? "
            "(from --scheduler.t-mult)",
        ),
        (
            "--strategy fedavg --mu-scheduler constant",
            "mu-scheduler 'constant' cannot be used with strategy 'fedavg', which has no mu",
        ),
        ("--preset four", "unknown preset 'four'; choose from four-regions, four-tasks"),
        ("--evaluator sim-success", "--evaluator needs a dataset to score on; add --eval URI"),
        (
            "--episodes-per-client 5",
            "--episodes-per-client is for sim: datasets, but a client has 'local:/data/left'",
        ),
        ("--episodes-per-client 0", "--episodes-per-client must be ≥ 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused_on_one_line(
    zk0, run_file: str, arguments: str, error: str
) -> None:
    shown = zk0("run", run_file, *arguments.split(), "--dry-run")
    assert shown.status == 2
    assert error in shown.error
    assert shown.error.startswith("Error: ")
    assert shown.error.count("\n") == 1


def test_a_run_file_that_is_no_toml(zk0, tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("rounds : 3")
    shown = zk0("run", str(path))
    assert shown.status == 2
    assert f"run file {path} is not TOML: " in shown.error
    assert "line 1" in shown.error


def test_two_clients_of_one_name(zk0, run_file: str) -> None:
    with Path(run_file).open("a") as file:
        file.write(
            '[[clients]]\nname="a"\ndataset="local:/a"\n[[clients]]\nname="a"\ndataset="local:/b"\n'
        )
    shown = zk0("run", run_file, "--dry-run")
    assert shown.status == 2
    assert "two clients have the name 'a': local:/a and local:/b; rename one" in shown.error


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_output_folder_in_use(zk0, run_file: str, tmp_path: Path, more) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "history.jsonl").touch()
    shown = zk0("run", run_file, "--output", str(tmp_path / "used"), *more)
    assert shown.status == 2
    assert shown.error == (
        f"Error: output folder {tmp_path}/used is in use; choose another with --output\n"
    )


def test_help_lists_the_options_of_what_is_chosen(zk0) -> None:
    shown = zk0("run", "--strategy", "fedprox", "--scheduler", "cosine", "--help")
    assert shown.status == 0
    assert "--strategy.mu NUMBER" in shown.out
    assert "Proximal weight; 0 is FedAvg. [default: 0.01; ≥ 0]" in " ".join(shown.out.split())
    assert "--scheduler.eta-min NUMBER" in shown.out
    assert "--scheduler.t-0" not in shown.out
    assert "--strategy.mu NUMBER" not in zk0("run", "--strategy", "fedavg", "--help").out


def test_help_with_a_wrong_choice_says_so(zk0) -> None:
    shown = zk0("run", "--strategy", "fedprx", "--help")
    assert shown.status == 2
    assert "Usage: zk0 run" in shown.out
    assert "unknown strategy 'fedprx'" in shown.out


BUDGET = RoundBudget(up=1_000_000, down=2_000_000, clients=3, uplink_mbps=4.0)


def test_the_result_as_json(
    zk0, run_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the command's own part: how runs go is tested with real ones elsewhere."""
    from zk0_core import run as core

    def run(plan: RunPlan, folder: Path, progress: object) -> RunResult:
        print("what a reporter prints")
        record = RoundRecord(round=plan.rounds, policy_loss=0.5, success_rate=0.25)
        return RunResult(History((record,)), folder, BUDGET)

    monkeypatch.setattr(core, "run", run)
    shown = zk0("run", run_file, "--output", str(tmp_path / "out"), "--json")
    assert shown.status == 0
    assert json.loads(shown.out) == {
        "folder": str(tmp_path / "out"),
        "rounds": 1,
        "policy_loss": 0.5,
        "success_rate": 0.25,
        "round_bytes": {
            "client_up": 1_000_000,
            "client_down": 2_000_000,
            "clients": 3,
            "up": 3_000_000,
            "down": 6_000_000,
            "uplink_mbps": 4.0,
            "upload_seconds": 2.0,
        },
    }
    assert "what a reporter prints" in shown.error


def test_the_default_output_folder(
    zk0, run_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zk0_core import run as core

    monkeypatch.chdir(tmp_path)
    folders: list[Path] = []

    def run(plan: RunPlan, folder: Path, progress: object) -> RunResult:
        folders.append(folder)
        folder.mkdir(parents=True)
        return RunResult(History((RoundRecord(round=0),)), folder, BUDGET)

    monkeypatch.setattr(core, "run", run)
    for _ in range(2):
        shown = zk0("run", run_file)
        assert shown.out == f"output: {folders[-1]}\n"
    assert len(set(folders)) == 2
    assert all(folder.parent == Path("outputs") for folder in folders)
    assert folders[0].name.endswith("-fedprox")
