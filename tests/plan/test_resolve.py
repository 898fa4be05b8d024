from importlib.metadata import version

import pytest

from zk0_core.errors import UsageError
from zk0_core.plan import ClientPlan
from zk0_core.preset import preset_names, preset_settings
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.runfile import plan_from_json, plan_to_json, plan_to_toml, settings_from_toml
from zk0_core.settings import Settings, merged
from zk0_core.sim.spec import SimSpec


def refusal(resolve, *replacements: tuple[str, str], more: str = "") -> str:
    with pytest.raises(UsageError) as refused:
        resolve(*replacements, more=more)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_values_are_those_of_the_file_over_the_defaults(resolve) -> None:
    plan = resolve()
    assert (plan.rounds, plan.lr, plan.batch_size) == (3, 1e-3, 8)
    assert (plan.local_steps, plan.seed, plan.engine) == (100, 42, "local")
    assert plan.strategy.name == "fedprox"
    assert plan.strategy.options["mu"] == 0.02
    assert plan.strategy.options["personal"] == ()
    assert plan.strategy.distribution == "zk0-strategies"
    assert plan.strategy.version == version("zk0-strategies")
    assert plan.policy.options["chunk_size"] == 16
    assert plan.clients == (
        ClientPlan(
            "left-desk",
            "local:/data/left",
            {"observation.images.side": "observation.images.top"},
        ),
        ClientPlan("right", "local:/data/right"),
    )
    assert [loader.name for loader in plan.loaders] == ["local"]


def test_lr_and_batch_size_come_from_the_policy_family(resolve) -> None:
    plan = resolve(("lr = 1e-3\n", ""), ("batch_size = 8\n", ""))
    assert (plan.lr, plan.batch_size) == (1e-3, 32)


@pytest.mark.parametrize("name", preset_names())
def test_presets_resolve_and_survive_json_and_toml(name: str, registry: Registry) -> None:
    plan = resolve_plan(preset_settings(name), registry)
    assert plan_from_json(plan_to_json(plan)) == plan
    assert "fedprox" in plan_to_toml(plan)


def test_the_default_preset(registry: Registry) -> None:
    plan = resolve_plan(preset_settings(), registry)
    assert [client.name for client in plan.clients] == ["right", "mid-right", "mid-left", "left"]
    assert [e.evaluator.name for e in plan.evaluations] == ["policy-loss", "sim-success"]
    assert plan.evaluations[1].evaluator.options["final_rollouts"] == 60


def test_the_preset_of_several_tasks_tries_each(registry: Registry) -> None:
    plan = resolve_plan(preset_settings("four-tasks"), registry)
    assert plan.policy.options["base"] == "four-tasks"
    tasks = ["lift", "place", "push", "sort"]
    assert [client.name for client in plan.clients] == tasks
    for evaluator in ("policy-loss", "sim-success"):
        datasets = [e.dataset for e in plan.evaluations if e.evaluator.name == evaluator]
        assert [SimSpec.parse(dataset).task for dataset in datasets] == tasks


def test_epochs_are_steps_of_a_client_by_its_frames(resolve) -> None:
    """8 frames a step: 2 passes over 50 frames are 12.5 steps, and half a one over 7 is 0.4."""
    plan = resolve(("rounds = 3", "rounds = 3\nlocal_epochs = 2"))
    assert plan.steps_of(50) == 13
    half = resolve(("rounds = 3", "rounds = 3\nlocal_epochs = 0.5"))
    assert half.steps_of(7) == 1
    assert resolve().steps_of(50) == 100


def test_the_upper_layer_says_whether_steps_or_epochs(registry: Registry) -> None:
    preset = preset_settings()
    assert preset.values["local_steps"] == 10
    epochs = merged(preset, Settings(origin="file", values={"local_epochs": 1.0}))
    assert resolve_plan(epochs, registry).local_epochs == 1.0
    steps = merged(epochs, Settings(origin="flags", values={"local_steps": 5}))
    plan = resolve_plan(steps, registry)
    assert (plan.local_steps, plan.local_epochs) == (5, None)


def test_json_is_lossless(resolve) -> None:
    plan = resolve()
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("rounds = 3", "rounds = 0", "rounds must be ≥ 1, got 0 (from run.toml)"),
        (
            "rounds = 3",
            "rounds = 1.5",
            "rounds must be a whole number ≥ 1, got 1.5; did you mean 1 or 2? (from run.toml)",
        ),
        ("rounds = 3", "local_steps = 0", "local_steps must be ≥ 1, got 0 (from run.toml)"),
        (
            "rounds = 3",
            "local_steps = 5\nlocal_epochs = 2",
            "local_steps and local_epochs exclude each other; keep one (from run.toml)",
        ),
        (
            "rounds = 3",
            "local_epochs = 0",
            "local_epochs must be above 0 and at most 10000, got 0.0 (from run.toml)",
        ),
        (
            '"smolvla-tiny"',
            '"smolvla-tiny"\nbase = "lfit"',
            "policy.base is 'lfit': neither a base that comes with zk0 (four-tasks, lift) nor a "
            "folder with one; zk0 sim make-base --output DIR makes one",
        ),
        ("lr = 1e-3", "lr = 0", "lr must be > 0, got 0.0 (from run.toml)"),
        ("lr = 1e-3", "lr = 1e-8", "eta_min must be ≤ lr, got 5e-07 with lr 1e-08"),
        (
            "rounds = 3",
            "fraction = 0.0",
            "fraction must be above 0 and at most 1, got 0.0 (from run.toml)",
        ),
        (
            "rounds = 3",
            "min_updates = 3",
            "min_updates must be ≤ 2, the clients of a round (2 clients, fraction 1), got 3",
        ),
        ("rounds = 3", 'engine = "rey"', "engine must be one of local, ray, got 'rey'"),
        (
            "rounds = 3",
            'device = "gpu"',
            "device must be auto, cpu, cuda, cuda:N or mps, got 'gpu'",
        ),
        (
            "rounds = 3",
            "gradient_accumulation = 5000",
            "gradient_accumulation must be ≤ batch_size, got 5000 with batch_size ",
        ),
        ("rounds = 3", "roundz = 3", "roundz is unknown; did you mean 'rounds'?"),
        ('"fedprox"', '"fedprx"', "unknown strategy 'fedprx'; choose from "),
        ('"fedprox"', '"fedprx"', "did you mean 'fedprox'? (from run.toml)"),
        ('"smolvla-tiny"', '"smolvla"', "unknown policy 'smolvla'; choose from "),
        ("mu = 0.02", "mu = -1.0", "strategy.mu must be ≥ 0, got -1.0 (from run.toml)"),
        ("mu = 0.02", 'mu = "x"', "strategy.mu must be a number ≥ 0, got 'x' (from run.toml)"),
        ("mu = 0.02", "nu = 0.02", "strategy.nu is unknown; the choices are personal, norm_clip,"),
        ("local:/data/right", "s4:/data/right", "unknown loader 's4'; choose from "),
        (
            "local:/data/right",
            "s4:/data/right",
            "(from dataset 's4:/data/right' of client 'right')",
        ),
        (
            "local:/data/right",
            "/data/right",
            "dataset '/data/right' is no address; write SCHEME:PLACE such as local:/data/right or "
            "sim:lift?region=left (from run.toml)",
        ),
        ("left-desk", "../up", "client name '../up' cannot be a file's name"),
        ("left-desk", "server", "and none of server, worker, node, supernode, start"),
        ('name = "left-desk"', "nme = 1", "clients[0].nme is unknown; did you mean"),
    ],
)
def test_what_cannot_be_is_refused(resolve, old: str, new: str, text: str) -> None:
    assert text in refusal(resolve, (old, new))


def test_unknown_scheduler(resolve) -> None:
    text = refusal(resolve, more='[[schedulers]]\nname = "cosin"\n')
    assert text.startswith("unknown scheduler 'cosin'; choose from ")
    assert text.endswith("did you mean 'cosine'? (from run.toml)")


def test_options_of_one_among_several_name_it(resolve) -> None:
    more = '[[schedulers]]\nname = "cosine"\n[[schedulers]]\nname = "warm-restarts"\nt_mult = 1.2\n'
    assert refusal(resolve, more=more) == (
        "scheduler.warm-restarts.t_mult must be a whole number ≥ 1, got 1.2; "
        "did you mean 1 or 2? (from run.toml)"
    )


def test_a_scheduler_twice(resolve) -> None:
    more = '[[schedulers]]\nname = "cosine"\n' * 2
    text = refusal(resolve, more=more)
    assert text == "scheduler 'cosine' is chosen twice; keep one (from run.toml)"


def test_two_clients_of_one_name(resolve) -> None:
    text = refusal(resolve, more='[[clients]]\nname = "left-desk"\ndataset = "local:/data/c"\n')
    assert text == (
        "two clients have the name 'left-desk': local:/data/left and local:/data/c; rename one"
    )


def test_no_clients(registry: Registry) -> None:
    settings = settings_from_toml('[policy]\nname = "smolvla-tiny"\n', "run.toml")
    with pytest.raises(UsageError) as refused:
        resolve_plan(settings, registry)
    assert str(refused.value) == (
        'no clients: add [[clients]] dataset = "URI" to run.toml, or --client URI'
    )


def test_no_policy(registry: Registry) -> None:
    settings = settings_from_toml('[[clients]]\ndataset = "local:/a"\n', "run.toml")
    with pytest.raises(UsageError) as refused:
        resolve_plan(settings, registry)
    assert str(refused.value).startswith(
        'no policy: add [policy] name = "NAME" to run.toml, or --policy NAME; choose from '
    )


def test_mu_scheduler_without_mu(resolve) -> None:
    more = '[[mu_schedulers]]\nname = "constant"\n'
    text = refusal(resolve, ('"fedprox"\nmu = 0.02', '"fedavg"'), more=more)
    assert text == (
        "mu-scheduler 'constant' cannot be used with strategy 'fedavg', which has no mu; "
        "leave it out, or choose a strategy that has one: fedprox"
    )
    assert resolve(more=more).mu_schedulers[0].name == "constant"


def test_disabled_plugin_that_is_not_there(resolve) -> None:
    text = refusal(resolve, more='[plugins]\ndisabled = ["zk0-strategis"]\n')
    assert text.startswith("plugins.disabled names 'zk0-strategis', which is not installed; ")
    assert text.endswith("did you mean 'zk0-strategies'?")


EVALUATION = '[[evaluations]]\ndataset = "{}"\nevaluator = "{}"\n'


def test_a_dataset_for_training_and_evaluation(resolve) -> None:
    text = refusal(resolve, more=EVALUATION.format("local:/data/left", "policy-loss"))
    assert text == (
        "dataset 'local:/data/left' is used for training (client 'left-desk') and for "
        "evaluation; use another one, or write 'local:/data/left?eval_episodes=5' in both places"
    )


def test_one_dataset_for_both_with_episodes_held_out(resolve) -> None:
    both = "local:/data/left?eval_episodes=5"
    plan = resolve(("local:/data/left", both), more=EVALUATION.format(both, "policy-loss"))
    assert plan.evaluations[0].dataset == both


def test_held_out_in_one_place_only(resolve) -> None:
    more = EVALUATION.format("local:/data/left?eval_episodes=5", "policy-loss")
    assert "is used for training" in refusal(resolve, more=more)


def test_the_order_of_options_hides_nothing(resolve) -> None:
    change = ("local:/data/left", "sim:lift?region=left&episodes=5")
    more = EVALUATION.format("sim:lift?episodes=5&region=left", "policy-loss")
    text = refusal(resolve, change, more=more)
    assert "evaluate on 'sim:lift?episodes=5&region=left&split=eval'" in text


def test_an_evaluation_may_rename_what_a_client_does(resolve) -> None:
    more = EVALUATION.format("local:/data/test?eval_episodes=5", "policy-loss")
    rename = {"observation.images.side": "observation.images.top"}
    more += 'rename = { "observation.images.side" = "observation.images.top" }\n'
    plan = resolve(more=more)
    assert plan.evaluations[0].rename == rename
    assert plan_from_json(plan_to_json(plan)) == plan


def test_renaming_for_an_evaluator_without_recordings(resolve) -> None:
    more = EVALUATION.format("sim:lift", "sim-success") + 'rename = { "a" = "b" }\n'
    assert refusal(resolve, more=more) == (
        "evaluator 'sim-success' reads no recordings, so there is nothing to rename; "
        "leave out rename (from run.toml)"
    )


def test_joined_datasets_name_their_loaders(resolve) -> None:
    plan = resolve(("local:/data/right", "local:/data/right + sim:lift?region=left"))
    assert [loader.name for loader in plan.loaders] == ["local", "sim"]
    assert plan.clients[1].name == "right-and-1-more"
    text = refusal(resolve, ("local:/data/right", "local:/data/right + /data/more"))
    assert text == (
        "dataset '/data/more' is no address; write SCHEME:PLACE such as local:/data/more or "
        "sim:lift?region=left (from client 'right-and-1-more')"
    )
