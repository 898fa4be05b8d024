"""Strategies in rounds: arrival, state, quorum, refusals, what stays on disk."""

import json
import weakref
from typing import Any

import attrs
import numpy as np
import pytest

from zk0_core.errors import WireError
from zk0_core.history import History
from zk0_core.protocols import Update
from zk0_core.registry import Registry
from zk0_core.server.rounds import make_order
from zk0_core.span import Span
from zk0_core.tensors import Tensors, fingerprint
from zk0_core.wire.orders import MOST_STEPS, SchemaReport
from zk0_core.wire.packing import from_record, to_record

STRATEGIES = sorted(
    plugin.name
    for plugin in Registry.discover().plugins
    if plugin.kind == "strategy" and plugin.distribution == "zk0-strategies"
)
NAMES = [f"client-{letter}" for letter in "abcdefg"]
SHAPES = {"body.w": (3, 2), "head.w": (4,)}


def tensors(seed: int) -> Tensors:
    random = np.random.default_rng(seed)
    return {name: random.standard_normal(s).astype(np.float32) for name, s in SHAPES.items()}


def play(strategy: Any, params: Tensors, round: int) -> Tensors:
    strategy.begin(params, round)
    for index, client in enumerate(NAMES):
        seed = 100 * round + index
        extra = tensors(seed + 50)
        strategy.add(Update(client, 3 + index, tensors(seed), extra, start_loss=0.1 + index))
    result: Tensors = strategy.finish()
    return result


@pytest.fixture
def problems(quadratic):
    random = np.random.default_rng(1)
    return {
        name: quadratic(
            random.uniform(0.5, 2, 3).tolist(), random.standard_normal(3).tolist(), 3 + i
        )
        for i, name in enumerate(NAMES)
    }


def test_all_fifteen_are_there() -> None:
    assert len(STRATEGIES) == 15


@pytest.mark.parametrize("name", STRATEGIES)
def test_state_goes_on_to_the_bit(build, name) -> None:
    strategy, params = build(name), tensors(0)
    for round in (1, 2):
        params = play(strategy, params, round)
    state = {key: value.copy() for key, value in strategy.state().items()}
    restored = build(name)
    restored.restore(state)
    assert fingerprint(restored.state()) == fingerprint(state)
    for round in (3, 4):
        one, other = play(strategy, params, round), play(restored, params, round)
        assert fingerprint(one) == fingerprint(other)
        params = one
    assert fingerprint(strategy.state()) == fingerprint(restored.state())


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_new_strategy_takes_back_its_own_state(build, name) -> None:
    strategy = build(name)
    strategy.restore(strategy.state())
    params = play(strategy, tensors(0), 1)
    assert fingerprint(params) == fingerprint(play(build(name), tensors(0), 1))


@pytest.mark.parametrize("name", STRATEGIES)
def test_arguments_are_left_alone(build, name) -> None:
    strategy, params, delta = build(name), tensors(0), tensors(1)
    before = fingerprint(params), fingerprint(delta)
    for round in (1, 2):
        strategy.begin(params, round)
        for index, client in enumerate(NAMES):
            strategy.add(Update(client, 1 + index, delta, tensors(2), start_loss=1.0))
        strategy.finish()
    assert (fingerprint(params), fingerprint(delta)) == before


@pytest.mark.parametrize("name", STRATEGIES)
def test_order_of_arrival_does_not_change_a_bit(federate, problems, name) -> None:
    ends = []
    for arrival in (NAMES, NAMES[::-1]):
        clients = federate(problems, name, local_steps=2)
        clients.grid.arrival = arrival
        for _ in range(2):
            clients.round()
        ends.append((fingerprint(clients.params), fingerprint(clients.strategy.state())))
    assert ends[0] == ends[1]


def test_epochs_are_steps_by_a_clients_frames(federate, quadratic) -> None:
    """Each says that it has 15 frames: in batches of 4, two passes are 7.5 steps."""
    problems = {name: quadratic([1.0], [1.0]) for name in ("ann", "bob")}
    clients = federate(problems, "fedavg", local_epochs=2.0, batch_size=4)
    assert [client.steps for client in clients.round().clients] == [8, 8]


def test_a_client_that_claims_frames_without_end_is_asked_for_no_more_than_an_order_may(
    federate, quadratic
) -> None:
    clients = federate({"ann": quadratic([1.0], [1.0])}, "fedavg", local_epochs=2.0, batch_size=4)
    (report,) = clients.federation.roster.reports
    roster = attrs.evolve(clients.federation.roster, reports=(attrs.evolve(report, frames=2**62),))
    federation = attrs.evolve(clients.federation, roster=roster)
    order = make_order(federation, 1, "ann", History(), Span.constant(1e-3))
    assert order.local_steps == MOST_STEPS


def test_a_client_that_claims_no_frames_does_not_take_part(federate, quadratic) -> None:
    clients = federate({"ann": quadratic([1.0], [1.0])}, "fedavg")
    (report,) = clients.federation.roster.reports
    content = to_record(report)
    header = json.loads(str(content["header"]["json"]))
    content["header"]["json"] = json.dumps({**header, "frames": 0})
    with pytest.raises(WireError, match="malformed SchemaReport"):
        from_record(content, SchemaReport)


def test_a_round_with_fewer_updates_than_needed_does_not_count(federate, problems) -> None:
    def spoil(round, report, update):
        return report, {name: np.full_like(value, np.inf) for name, value in update.items()}

    clients = federate(problems, "krum", min_updates=5)
    for name in NAMES[:3]:
        clients.grid.tamper[name] = spoil
    before = fingerprint(clients.params)
    record = clients.round()
    assert (record.counted, len(record.clients), len(record.refused)) == (False, 4, 3)
    assert fingerprint(clients.params) == before


@pytest.mark.parametrize(
    "name", ["fedmedian", "trimmed-mean", "krum", "multi-krum", "bulyan", "norm-clip"]
)
def test_a_round_without_any_update_changes_nothing_and_the_next_one_counts(
    federate, problems, name
) -> None:
    def spoil(round, report, update):
        bad = {name: np.full_like(value, np.inf) for name, value in update.items()}
        return report, bad if round == 1 else update

    clients = federate(problems, name)
    clients.grid.tamper = dict.fromkeys(NAMES, spoil)
    before = fingerprint(clients.params)
    assert not clients.round().counted
    assert fingerprint(clients.params) == before
    assert clients.round().counted
    assert fingerprint(clients.params) != before


def test_a_strategy_may_refuse_an_update_and_the_round_goes_on(federate, problems) -> None:
    import attrs

    def spoil(round, report, update):
        return attrs.evolve(report, start_loss=-1.0), update

    clients = federate(problems, "qfedavg")
    clients.grid.tamper["client-b"] = spoil
    record = clients.round()
    assert [(refusal.client, refusal.reason) for refusal in record.refused] == [
        ("client-b", "the loss before training is -1.0; qfedavg needs one of at least 0")
    ]
    assert len(record.clients) == 6


def test_a_report_without_the_loss_that_was_asked_for_is_refused(federate, problems) -> None:
    import attrs

    def forget(round, report, update):
        return attrs.evolve(report, start_loss=None), update

    clients = federate(problems, "qfedavg")
    clients.grid.tamper["client-b"] = forget
    assert clients.round().refused[0].reason == (
        "the loss before training, which the strategy needs, is None"
    )


@pytest.mark.parametrize("name", ["fedavg", "scaffold", "fedmedian"])
def test_updates_stay_on_disk_for_those_that_see_all(federate, problems, name) -> None:
    clients = federate(problems, name)
    clients.round()
    kept = sorted(path.stem for path in (clients.folder / "kept").glob("*.update"))
    assert kept == (NAMES if name == "fedmedian" else [])


def test_an_update_is_let_go_before_the_next_one_is_read(federate, problems) -> None:
    clients = federate(problems, "fedavg", local_steps=1)
    clients.grid.arrival = [NAMES[1], NAMES[0], *NAMES[2:]]
    add, earlier, alive = clients.strategy.add, [], []

    def watch(update: Update) -> None:
        alive.append(sum(other() is not None for other in earlier))
        earlier.append(weakref.ref(update))
        add(update)

    clients.strategy.add = watch
    clients.round()
    assert alive == [0] * len(NAMES)
