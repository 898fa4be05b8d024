"""Which runs a comparison consists of, and that they are at equal samples."""

import attrs
import pytest

from zk0_core.compare.arms import arms_of
from zk0_core.errors import UsageError
from zk0_core.plan import EvaluationPlan, PluginChoice, RunPlan

FEDAVG = PluginChoice("strategy", "fedavg")


def test_every_arm_of_one_seed_with_its_steps(plan: RunPlan) -> None:
    arms = arms_of(plan, FEDAVG, [0])
    # 3 rounds of 10 steps by 4 clients: 120 in all, 30 for each client's own share.
    assert {arm.name: arm.steps for arm in arms} == {
        "federated": 120,
        "centralized": 120,
        "right alone": 30,
        "right alone, total": 120,
        "mid-right alone": 30,
        "mid-right alone, total": 120,
        "mid-left alone": 30,
        "mid-left alone, total": 120,
        "left alone": 30,
        "left alone, total": 120,
    }


def test_one_folder_for_each_arm_and_seed(plan: RunPlan) -> None:
    arms = arms_of(plan, FEDAVG, [0, 1], leave_one_out=True)
    folders = [arm.folder for arm in arms]
    assert len(set(folders)) == len(arms) == 2 * (10 + 4)
    assert "seed_1/mid-left-alone-total" in folders
    assert all(arm.plan.seed == arm.seed for arm in arms)


def test_single_arms_train_without_the_strategys_term(plan: RunPlan) -> None:
    by_name = {arm.name: arm.plan for arm in arms_of(plan, FEDAVG, [0])}
    assert by_name["federated"].strategy.name == "fedprox"
    for name, single in by_name.items():
        if name != "federated":
            assert single.strategy.name == "fedavg"
            assert single.mu_schedulers == ()


def test_centralized_trains_on_the_data_of_all(plan: RunPlan) -> None:
    centralized = next(a.plan for a in arms_of(plan, FEDAVG, [0]) if a.name == "centralized")
    (client,) = centralized.clients
    assert client.dataset == " + ".join(client.dataset for client in plan.clients)


def test_all_but_one_federate_as_all_do(plan: RunPlan) -> None:
    arms = arms_of(plan, FEDAVG, [0], leave_one_out=True)
    without = next(arm.plan for arm in arms if arm.name == "without left")
    assert [client.name for client in without.clients] == ["right", "mid-right", "mid-left"]
    assert without.strategy == plan.strategy


def test_one_client_is_refused(plan: RunPlan) -> None:
    with pytest.raises(UsageError, match="needs two clients at least; add another --client"):
        arms_of(attrs.evolve(plan, clients=plan.clients[:1]), FEDAVG, [0])


def test_sampling_clients_is_refused(plan: RunPlan) -> None:
    with pytest.raises(UsageError, match=r"fraction is 0\.5, but a comparison at equal samples"):
        arms_of(attrs.evolve(plan, fraction=0.5), FEDAVG, [0])


def test_stopping_early_is_refused(plan: RunPlan) -> None:
    evaluator = PluginChoice("evaluator", "sim-success", {"interval_width": 0.2})
    early = attrs.evolve(plan, evaluations=(EvaluationPlan("sim:lift?region=all", evaluator),))
    with pytest.raises(
        UsageError,
        match=r"evaluations: sim-success on sim:lift\?region=all stops early by "
        "interval_width, but a comparison pairs every start with every arm; leave it at 0",
    ):
        arms_of(early, FEDAVG, [0])


def test_differing_renames_cannot_be_pooled(plan: RunPlan) -> None:
    renamed = attrs.evolve(plan.clients[1], rename={"side": "top"})
    clients = (plan.clients[0], renamed)
    with pytest.raises(UsageError, match="'right' and 'mid-right' rename features differently"):
        arms_of(attrs.evolve(plan, clients=clients), FEDAVG, [0])


def test_a_strategy_that_needs_all_clients_can_leave_none_out(plan: RunPlan) -> None:
    """trimmed-mean with a share of 0.25 needs the four that there are."""
    trimmed = PluginChoice("strategy", "trimmed-mean", {"beta": 0.25})
    needing = attrs.evolve(plan, strategy=trimmed, min_updates=4)
    arms_of(needing, FEDAVG, [0])
    with pytest.raises(UsageError) as refused:
        arms_of(needing, FEDAVG, [0], leave_one_out=True)
    assert str(refused.value) == (
        "--leave-one-out leaves 3 of 4 clients, but strategy 'trimmed-mean' needs 4; leave the "
        "flag out, or add clients"
    )


def test_epochs_are_refused(plan: RunPlan) -> None:
    with pytest.raises(UsageError, match="local_epochs is 2, but a comparison counts steps"):
        arms_of(attrs.evolve(plan, local_epochs=2.0), FEDAVG, [0])
