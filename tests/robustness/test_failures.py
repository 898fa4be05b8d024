"""Two hundred rounds, in which one client fails at random; a model that is of no use any more."""

import gc
import math
import random
import re
import tracemalloc
from typing import Any

import attrs
import pytest
from flwr.app import Error, RecordDict

from tests.small_runs import small_plan
from zk0_core.errors import RoundError
from zk0_core.history import from_line, to_line
from zk0_core.plan import PluginChoice
from zk0_core.report.reading import Run
from zk0_core.report.trouble import troubles_of
from zk0_core.run import run
from zk0_core.server.evaluation import not_finite

ROUNDS, WARM = 200, 50
CHANCE = 0.2
SLACK = 1.5
"""Times by which memory may grow more than by the rounds' records; one message kept a round would
be two."""


@pytest.mark.long
def test_a_client_that_fails_at_random_costs_its_own_updates_only(federate, quadratic) -> None:
    problems = {
        name: quadratic([1.0], [float(index)]) for index, name in enumerate(("ann", "bob", "cem"))
    }
    clients = federate(problems, "fedavg", local_steps=1)
    draw, failed = random.Random(0), set[int]()

    def flaky(content: RecordDict) -> Any:
        if draw.random() >= CHANCE:
            return content
        failed.add(len(clients.history.rounds) + 1)
        return Error(2, "killed for memory")

    clients.grid.forge["bob"] = flaky
    tracemalloc.start()
    try:
        for _ in range(WARM):
            clients.round()
        warm = held()
        for _ in range(ROUNDS - WARM):
            clients.round()
        grown = held() - warm
        copies = [from_line(to_line(record)) for record in clients.history.rounds[WARM:]]
        history = held() - warm - grown
    finally:
        tracemalloc.stop()
    assert len(copies) == ROUNDS - WARM
    assert grown < SLACK * history

    rounds = clients.history.rounds
    assert len(rounds) == ROUNDS
    # Of 200 at 0.2, 40 ± 6.
    assert 20 < len(failed) < 60
    for record in rounds:
        there = sorted(entry.client for entry in record.clients)
        lost = [(entry.client, entry.reason, entry.failed) for entry in record.refused]
        if record.round in failed:
            assert there == ["ann", "cem"]
            assert lost == [("bob", "client failed: killed for memory", True)]
        else:
            assert (there, lost) == (["ann", "bob", "cem"], [])
        assert record.counted
        # It is not to blame for what it did not send.
        assert record.quarantined == ()
    told = troubles_of(Run(clients.folder, {"rounds": ROUNDS, "clients": []}, clients.history))
    (sentence,) = [each for each in told if each.startswith("No update came from bob (")]
    assert sentence.endswith("): client failed: killed for memory")


def held() -> int:
    """Return the bytes that objects take which somebody still refers to."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_model_that_diverged_ends_the_run_and_says_whose_update_was_longest(tmp_path) -> None:
    """The server's step is so long that no weight of the model is of use."""
    strategy = PluginChoice("strategy", "fedavgm", {"lr": 1e25, "momentum": 0.0})
    plan = small_plan(rounds=1, local_steps=1, strategy=strategy, mu_schedulers=(), workers=1)
    plan = attrs.evolve(plan, evaluations=plan.evaluations[:1], reporters=())
    with pytest.raises(RoundError) as ended:
        run(plan, tmp_path / "run")
    assert re.fullmatch(
        r"after round 1, on sim:lift\S+, policy_loss is (nan|inf): the model has diverged; the "
        r"longest update was (right|mid-right)'s, of norm [\d.]+, the median norm is [\d.]+; start "
        r"afresh with a lower lr, strategy.norm_clip or a robust strategy",
        str(ended.value),
    )
    # What was so before is as it was.
    assert (tmp_path / "run/history.jsonl").read_bytes().count(b"\n") == 1


def test_figures_that_are_no_numbers() -> None:
    figures = {"rollouts": 3, "error": {"gripper": 0.5, "wrist": 1.0}, "units": {"wrist": "m"}}
    assert not_finite({**figures, "policy_loss": 2.0, "time": None}) is None
    assert not_finite({**figures, "policy_loss": -math.inf}) == "policy_loss is -inf"
    figures["error"] = {"gripper": 0.5, "wrist": math.nan}
    assert not_finite(figures) == "error wrist is nan"


def test_a_damaged_state_is_one_clients_failure(federate, quadratic) -> None:
    problems = {name: quadratic([1.0], [2.0]) for name in ("ann", "bob")}
    clients = federate(problems, "fedavg", local_steps=1)
    clients.round()
    path = clients.folder / "clients/bob/state/round_1.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    record = clients.round()
    assert [entry.client for entry in record.clients] == ["ann"]
    (refusal,) = record.refused
    assert (refusal.client, refusal.failed) == ("bob", True)
    assert refusal.reason.endswith("is damaged: its hash is not the one that was written with it")


def test_training_that_diverged_is_one_clients_failure(federate, quadratic) -> None:
    """Its gradient, 1e48, is infinite in float32."""
    problems = {"ann": quadratic([1.0], [2.0]), "bob": quadratic([1e38], [1e10])}
    record = federate(problems, "fedavg").round()
    assert [entry.client for entry in record.clients] == ["ann"]
    (refusal,) = record.refused
    assert (refusal.client, refusal.failed) == ("bob", True)
    assert refusal.reason == "training diverged in round 1: body.w is not finite"


def test_who_has_other_frozen_weights_does_not_train(federate, quadratic) -> None:
    clients = federate({"ann": quadratic([1.0], [2.0])}, "fedavg")
    order = attrs.evolve(clients.federation.template, frozen="another policy")
    clients.federation = attrs.evolve(clients.federation, template=order)
    (refusal,) = clients.round().refused
    assert refusal.reason == (
        "frozen weights of client 'ann' differ from the server's (none… against another poli…); "
        "both need the same policy files and zk0 version"
    )
