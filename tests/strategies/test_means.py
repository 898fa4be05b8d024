"""Strategies that move along a mean of the updates, against values worked out by hand."""

import numpy as np
import pytest

from zk0_core.errors import WireError
from zk0_core.protocols import Update


def test_fedavgm_keeps_a_part_of_the_last_direction(build, combine) -> None:
    strategy = build("fedavgm", lr=0.5, momentum=0.9)
    # Mean (1·4 + 3·0)/4 = 1: v = 1, w = 0.5 · 1. Then mean 2: v = 0.9 + 2 = 2.9, w = 0.5 · 2.9.
    assert combine(strategy, [4.0], [0.0], examples=[1, 3]).tolist() == [0.5]
    assert combine(strategy, [2.0], round=2)[0] == pytest.approx(1.45, rel=1e-6)


def test_fedavgm_without_momentum_is_fedavg(combine) -> None:
    deltas = [0.1, -0.7], [0.3, 0.2], [-0.5, 1.1]
    plain = combine("fedavg", *deltas, examples=[3, 1, 7])
    assert combine("fedavgm", *deltas, examples=[3, 1, 7], momentum=0.0).tolist() == plain.tolist()


def test_fedadam_by_hand(combine) -> None:
    # Δ = 2: m = 0.5 · 2 = 1, v = 0.25 · 4 = 1. In round 1 lr is times √(1 − 0.75²)/(1 − 0.5²).
    rate = 0.1 * np.sqrt(1 - 0.75**2) / (1 - 0.5**2)
    after = combine("fedadam", [2.0], lr=0.1, beta_1=0.5, beta_2=0.75, tau=1.0)
    assert after[0] == pytest.approx(rate * 1 / (1 + 1), rel=1e-6)


def test_fedadagrad_by_hand(build, combine) -> None:
    strategy = build("fedadagrad", lr=0.1, tau=1.0)
    # v = 4: 0.1 · 2 / (2 + 1). Then Δ = √5 makes v = 9: 0.1 · √5 / (3 + 1).
    assert combine(strategy, [2.0])[0] == pytest.approx(0.2 / 3, rel=1e-6)
    assert combine(strategy, [5**0.5], round=2)[0] == pytest.approx(0.1 * 5**0.5 / 4, rel=1e-6)


def test_fedyogi_by_hand(build, combine) -> None:
    strategy = build("fedyogi", lr=0.1, beta_1=0.5, beta_2=0.75, tau=1.0)
    # v = 0 is below Δ² = 4, so v = 0.25 · 4 = 1; m = 1: 0.1 · 1 / (1 + 1).
    assert combine(strategy, [2.0])[0] == pytest.approx(0.05, rel=1e-6)
    # Δ = 0: v = 1 − 0.25 · 0 · sign(1) = 1; m = 0.5: 0.1 · 0.5 / 2.
    assert combine(strategy, [0.0], round=2)[0] == pytest.approx(0.025, rel=1e-6)
    # Δ² = 1 is v exactly: its sign is 0 and v stays 1; m = 0.25 + 0.5: 0.1 · 0.75 / 2.
    assert combine(strategy, [1.0], round=3)[0] == pytest.approx(0.0375, rel=1e-6)


def test_a_small_update_of_a_large_weight_is_not_lost_in_flower(combine) -> None:
    # 1000 has steps of 6e-5 in float32: 1e-5 added to it is gone, and m with it. v = 1e-12,
    # m = 1e-6, tau is far above √v: the step is 100 · 1e-6 / 1e-3 = 0.1, up to √v/tau = 1e-3.
    options = {"lr": 100.0, "beta_1": 0.9, "beta_2": 0.99, "tau": 1e-3}
    assert combine("fedyogi", [1e-5], start=[1000.0], **options)[0] == pytest.approx(1000.1, 1e-6)


def test_diloco_by_hand(build, combine) -> None:
    strategy = build("diloco", lr=0.5, momentum=0.5)
    # Δ = 2: v = 2, w = 0.5 · (2 + 0.5 · 2). Then Δ = 1: v = 0.5 · 2 + 1 = 2, w = 0.5 · (1 + 1).
    assert combine(strategy, [3.0], [1.0]).tolist() == [1.5]
    assert combine(strategy, [1.0], round=2).tolist() == [1.0]


def test_diloco_is_nesterov_as_torch_has_it(build, combine) -> None:
    import torch

    strategy = build("diloco")
    weight = torch.nn.Parameter(torch.zeros(3))
    outer = torch.optim.SGD([weight], lr=0.7, momentum=0.9, nesterov=True)
    ours = np.zeros(3, np.float32)
    for round in range(1, 4):
        delta = np.random.default_rng(round).standard_normal(3).astype(np.float32)
        weight.grad = -torch.from_numpy(delta)
        outer.step()
        ours = combine(strategy, delta, start=ours, round=round)
    np.testing.assert_allclose(ours, weight.detach().numpy(), rtol=1e-5)


def test_diloco_with_lr_1_and_no_momentum_is_fedavg(combine) -> None:
    deltas = [0.1, -0.7], [0.3, 0.2]
    plain = combine("fedavg", *deltas, examples=[3, 8])
    given = combine("diloco", *deltas, examples=[3, 8], lr=1.0, momentum=0.0)
    assert given.tolist() == plain.tolist()


def test_qfedavg_by_hand(combine) -> None:
    # q = 1, L = 2, losses 1 and 3, updates 1 and 2. Numerator: 1·1 + 3·2 = 7.
    # Denominator: (1 + 1 · 2 · 1²) + (3 + 1 · 2 · 2²) = 3 + 11 = 14.
    after = combine("qfedavg", [1.0], [2.0], losses=[1.0, 3.0], q=1.0, lipschitz=2.0)
    assert after[0] == pytest.approx(0.5, rel=1e-6)


def test_qfedavg_with_q_0_counts_clients_alike(combine) -> None:
    after = combine("qfedavg", [1.0], [3.0], losses=[0.1, 9.0], examples=[1, 99], q=0.0)
    assert after.tolist() == [2.0]


def test_qfedavg_of_equal_losses_has_no_favourite(combine) -> None:
    # Equal losses and lengths: the mean direction, here 0 in both coordinates' difference.
    after = combine("qfedavg", [1.0, 0.0], [0.0, 1.0], losses=[0.7, 0.7], q=2.0)
    assert after[0] == after[1] > 0


def test_qfedavg_takes_a_loss_of_zero(combine) -> None:
    assert np.isfinite(combine("qfedavg", [1.0], [2.0], losses=[0.0, 1.0], q=0.5)).all()


@pytest.mark.parametrize("loss", [None, -0.5])
def test_qfedavg_refuses_an_update_without_a_loss(build, loss) -> None:
    strategy = build("qfedavg")
    strategy.begin({"w": np.zeros(1, np.float32)}, 1)
    text = rf"the loss before training is {loss}; qfedavg needs one of at least 0"
    with pytest.raises(WireError, match=text):
        strategy.add(Update("a", 1, {"w": np.ones(1, np.float32)}, start_loss=loss))


def test_qfedavg_refuses_a_loss_whose_power_is_out_of_range(build, combine) -> None:
    # 1e10 to the power of 20 is 1e200; a little more is too much.
    assert np.isfinite(combine("qfedavg", [1.0], [2.0], losses=[0.9e10, 1.0], q=20.0)).all()
    strategy = build("qfedavg", q=20.0)
    strategy.begin({"w": np.zeros(1, np.float32)}, 1)
    text = r"the loss before training is 1e\+18; its power with q = 20 is above 1e200"
    with pytest.raises(WireError, match=text):
        strategy.add(Update("a", 1, {"w": np.ones(1, np.float32)}, start_loss=1e18))


def test_qfedavg_favours_the_client_that_is_worse_off(federate, quadratic) -> None:
    near, far = quadratic([1.0], [0.2]), quadratic([1.0], [-1.0])
    ends = {}
    for q in (0.0, 2.0):
        clients = federate({"far": far, "near": near}, "qfedavg", {"q": q, "lipschitz": 0.1})
        for _ in range(30):
            record = clients.round()
            # Loss of both parts before training, at the parameters that were sent.
            assert all(client.start_loss is not None for client in record.clients)
        ends[q] = far.loss(clients.params) - near.loss(clients.params)
    assert ends[0.0] > 0.5
    assert abs(ends[2.0]) < 0.01


def test_the_loss_before_training_is_that_of_the_broadcast(federate, quadratic) -> None:
    clients = federate({"a": quadratic([2.0, 4.0], [1.0, -1.0])}, "qfedavg")
    # ½ (2 · 1 + 4 · 1) for either part, from w = 0.
    assert clients.round().clients[0].start_loss == pytest.approx(6.0)
    assert federate({"a": quadratic([1.0], [1.0])}, "fedavg").round().clients[0].start_loss is None
