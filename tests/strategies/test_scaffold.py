"""SCAFFOLD's two halves, alone by hand and together in real rounds."""

import attrs
import numpy as np
import pytest
import torch

from zk0_core.client.optimizer import adamw
from zk0_core.client.trainer import MAX_GRAD_NORM, shuffled_batches, train_locally
from zk0_core.engines import apps
from zk0_core.errors import WireError
from zk0_core.parts import build_strategy
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Update
from zk0_core.span import Span
from zk0_core.tensors import fingerprint
from zk0_core.testing import examples
from zk0_core.testing.loopback import round_order


def step(half, param, raw: float) -> float:
    """Give `half` a raw gradient; return what it makes of it."""
    param.grad = torch.full_like(param, raw)
    assert half.gradient(0.0) is None
    return float(param.grad[0])


def test_the_client_half_by_hand(objective) -> None:
    param = torch.nn.Parameter(torch.zeros(1))
    half = objective("scaffold")
    half.start({"w": param}, {})
    # The first round has no correction; c_k is the mean of 1 and 3.
    assert [step(half, param, 1.0), step(half, param, 3.0)] == [1.0, 3.0]
    state = half.state()
    assert state["w"].tolist() == [2.0]
    assert half.finish()["w"].tolist() == [2.0]

    again = objective("scaffold")
    again.restore(state)
    again.start({"w": param}, {"w": np.array([0.5], np.float32)})
    # c − c_k = 0.5 − 2; the new c_k is the mean of the raw 5 and 3, and 4 − 2 is sent.
    assert [step(again, param, 5.0), step(again, param, 3.0)] == [3.5, 1.5]
    assert again.state()["w"].tolist() == [4.0]
    assert again.finish()["w"].tolist() == [2.0]


def test_a_parameter_that_the_loss_does_not_touch(objective) -> None:
    used, unused = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    half = objective("scaffold")
    half.start({"used": used, "unused": unused}, {})
    assert step(half, used, 2.0) == 2.0
    assert unused.grad is None
    assert {name: c.tolist() for name, c in half.state().items()} == {"used": [2.0], "unused": [0]}


def server_round(strategy, round, *updates) -> None:
    """Run a round of updates (client, number of examples, change of its c_k); w stays 0."""
    strategy.begin({"w": np.zeros(1, np.float32)}, round)
    for client, count, change in updates:
        delta, extra = np.zeros(1, np.float32), np.array([change], np.float32)
        strategy.add(Update(client, count, {"w": delta}, {"w": extra}))
    strategy.finish()


def orders(strategy, *clients: str) -> list[list[float]]:
    strategy.begin({"w": np.zeros(1, np.float32)}, 9)
    return [strategy.order(client)["w"].tolist() for client in clients]


def test_the_server_half_by_hand(build) -> None:
    strategy = build("scaffold")
    strategy.begin({"w": np.zeros(1, np.float32)}, 1)
    assert strategy.order("a") == {}
    server_round(strategy, 1, ("a", 1, 4.0), ("b", 3, 2.0))
    # (1 · 4 + 3 · 2) / 4
    assert orders(strategy, "a", "b") == [[2.5], [2.5]]
    assert strategy.order("new") == {}
    # b is away, a changes by −2, c comes: (1 · 2 + 3 · 2 + 4 · 1) / 8.
    server_round(strategy, 2, ("a", 1, -2.0), ("c", 4, 1.0))
    assert orders(strategy, "a", "b", "c") == [[1.5]] * 3


def test_clients_share_one_object_so_that_it_is_packed_once(build) -> None:
    strategy = build("scaffold")
    server_round(strategy, 1, ("a", 1, 4.0), ("b", 3, 2.0))
    strategy.begin({"w": np.zeros(1, np.float32)}, 2)
    assert strategy.order("a") is strategy.order("b")


def test_a_round_that_does_not_count_changes_no_variate(build) -> None:
    strategy = build("scaffold")
    server_round(strategy, 1, ("a", 1, 4.0))
    before = fingerprint(strategy.state())
    strategy.begin({"w": np.zeros(1, np.float32)}, 2)
    strategy.add(Update("b", 1, {"w": np.ones(1, np.float32)}, {"w": np.ones(1, np.float32)}))
    assert fingerprint(strategy.state()) == before


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({}, r"control variate of w has shape None, expected \(1,\)"),
        ({"w": np.zeros(2)}, r"control variate of w has shape \(2,\), expected \(1,\)"),
        ({"w": np.zeros(1), "x": np.zeros(1)}, r"of x has shape \(1,\), expected None"),
    ],
)
def test_an_update_without_its_variate_is_refused(build, extra, text) -> None:
    strategy = build("scaffold")
    strategy.begin({"w": np.zeros(1, np.float32)}, 1)
    with pytest.raises(WireError, match=text):
        strategy.add(Update("a", 1, {"w": np.zeros(1, np.float32)}, extra))


# Steep and shallow valleys: plain averaging stops between where each client would stop.
STEEP, SHALLOW, OTHER = ([8.0, 0.2], [1.0, 3.0]), ([0.2, 4.0], [-2.0, -1.0]), ([1.0, 1.0], [3.0, 0])


@pytest.fixture
def problems(quadratic):
    return {
        "a": quadratic(*STEEP, examples=10),
        "b": quadratic(*SHALLOW, examples=5),
        "c": quadratic(*OTHER, examples=5),
    }


def optimum(problems) -> dict[str, np.ndarray]:
    """Return the minimum of the weighted sum: Σ n a b / Σ n a."""
    weight = [p.examples * np.array(p.curvature) for p in problems.values()]
    top = sum(w * np.array(p.target) for w, p in zip(weight, problems.values(), strict=True))
    return dict.fromkeys(("body.w", "head.w"), top / sum(weight))


def test_scaffold_comes_nearer_to_the_optimum_than_fedavg(federate, problems) -> None:
    best = optimum(problems)
    least = sum(p.examples * p.loss(best) for p in problems.values()) / 20
    excess = {}
    for name in ("fedavg", "scaffold"):
        clients = federate(problems, name, local_steps=10)
        for _ in range(40):
            clients.round()
        excess[name] = clients.loss() - least
    assert 0 <= excess["scaffold"] < 0.1 * excess["fedavg"]


def test_variates_travel_and_are_counted(federate, problems) -> None:
    clients = federate(problems, "scaffold")
    plain = federate(problems, "fedavg").round().clients[0]
    first, second = clients.round().clients[0], clients.round().clients[0]
    # Up, as much again as the update, in each round; down, from the second round on.
    assert first.bytes_up == second.bytes_up == 2 * plain.bytes_up
    assert first.bytes_down == plain.bytes_down
    assert second.bytes_down == 2 * plain.bytes_down


def test_the_variate_is_the_mean_raw_gradient_when_rates_move_and_gradients_are_clipped(
    objective,
) -> None:
    class Steep(examples.TinyPolicy):
        def loss(self, batch, generator):
            return 1000 * super().loss(batch, generator)

    half, policy, raw = objective("scaffold"), Steep(), []
    params = policy.trainable()
    half.restore({})
    half.start(params, {})

    class Watched:
        def gradient(self, mu: float) -> None:
            raw.append({name: param.grad.clone() for name, param in params.items()})
            return half.gradient(mu)

    order = round_order(PluginChoice("strategy", "scaffold"))
    outcome = train_locally(
        policy,
        examples.TinySource(),
        Watched(),
        adamw(params),
        attrs.evolve(order, lr=Span(0.1, 0.001, 0.0, 1.0), local_steps=5),
        shuffled_batches(12, 4, seed=0),
        torch.Generator().manual_seed(0),
    )
    assert outcome.grad_norm > MAX_GRAD_NORM
    for name in params:
        mean = torch.stack([gradients[name] for gradients in raw]).mean(dim=0)
        torch.testing.assert_close(torch.from_numpy(half.state()[name]), mean)


def test_both_halves_go_on_after_a_restart(federate, problems) -> None:
    whole, halved = (federate(problems, "scaffold", fraction=0.67) for _ in range(2))
    for _ in range(6):
        whole.round()
    for _ in range(3):
        halved.round()
    apps.forget_sessions()
    strategy = build_strategy(halved.plan.strategy)
    strategy.restore({name: array.copy() for name, array in halved.strategy.state().items()})
    halved.strategy = strategy
    halved.federation = attrs.evolve(halved.federation, strategy=strategy)
    for _ in range(3):
        halved.round()
    assert fingerprint(halved.params) == fingerprint(whole.params)
    assert fingerprint(strategy.state()) == fingerprint(whole.strategy.state())


def test_a_server_that_goes_back_takes_its_clients_along(federate, problems) -> None:
    clients = federate(problems, "scaffold")
    for _ in range(2):
        clients.round()
    params, history = clients.params, clients.history
    state = {name: array.copy() for name, array in clients.strategy.state().items()}
    ends = []
    for _ in range(2):
        clients.params, clients.history = params, history
        clients.strategy.restore(state)
        for _ in range(2):
            clients.round()
        ends.append(fingerprint(clients.params))
    assert ends[0] == ends[1]


def test_a_round_that_does_not_count_keeps_both_sides_in_step(federate, problems) -> None:
    clients = federate(problems, "scaffold", min_updates=3)
    clients.grid.tamper["b"] = spoiled_in_round_2
    counted = [clients.round().counted for _ in range(4)]
    assert counted == [True, False, True, True]
    assert_in_step(clients, problems)


def test_a_refused_update_and_one_away_keep_both_sides_in_step(federate, problems) -> None:
    clients = federate(problems, "scaffold", fraction=0.67)
    clients.grid.tamper["b"] = spoiled_in_round_2
    for _ in range(6):
        clients.round()
    assert [r.client for record in clients.history.rounds for r in record.refused] == ["b"]
    taking_part = [{c.client for c in record.clients} for record in clients.history.rounds]
    assert {"a", "b", "c"} not in taking_part
    assert_in_step(clients, problems)


def spoiled_in_round_2(round, report, update):
    bad = {name: np.full_like(value, np.nan) for name, value in update.items()}
    return report, bad if round == 2 else update


def assert_in_step(clients, problems) -> None:
    """The server's c is the mean of what the clients have: neither side is ahead of the other."""
    clients.strategy.begin(clients.params, 7)
    weights = {name: problem.examples for name, problem in problems.items()}
    own = {
        name: clients.state(name, clients.history.accepted_round(name))["objective:body.w"]
        for name in problems
    }
    mean = sum(weights[n] * own[n] for n in own) / sum(weights.values())
    np.testing.assert_allclose(clients.strategy.order("a")["body.w"], mean, rtol=1e-5, atol=1e-6)
