"""fedavg and fedprox against values worked out by hand and against autograd."""

import numpy as np
import pytest
import torch

from zk0_core.parts import build_objective, build_strategy
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Update


def choice(name: str, **options: float) -> PluginChoice:
    return PluginChoice("strategy", name, options)


def combined(updates: list[Update], start: float = 1.0) -> np.ndarray:
    strategy = build_strategy(choice("fedavg"))
    strategy.begin({"w": np.full(2, start, np.float32)}, round=1)
    for update in updates:
        strategy.add(update)
    return strategy.finish()["w"]


def update(client: str, examples: int, *delta: float) -> Update:
    return Update(client, examples, {"w": np.array(delta, np.float32)})


def test_fedavg_weighs_by_examples() -> None:
    # 1 + (1 · 4 + 3 · 0) / 4 = 2; 1 + (1 · 0 + 3 · 2) / 4 = 2.5
    after = combined([update("a", 1, 4.0, 0.0), update("b", 3, 0.0, 2.0)])
    assert after.tolist() == [2.0, 2.5]
    assert after.dtype == np.float32


def test_mean_of_equal_updates_is_that_update_to_the_bit() -> None:
    value = np.float32(0.1)
    same = [update(name, examples, value, -value) for name, examples in (("a", 7), ("b", 2250))]
    assert combined(same, start=0.0).tolist() == [value, -value]


def test_one_client_gives_its_own_parameters() -> None:
    assert combined([update("a", 5, 0.5, -1.0)]).tolist() == [1.5, 0.0]


def test_fedavg_adds_nothing_to_the_loss() -> None:
    assert build_objective(choice("fedavg")) is None


def test_proximal_term_agrees_with_autograd() -> None:
    generator = torch.Generator().manual_seed(0)
    params = {
        name: torch.nn.Parameter(torch.randn(shape, generator=generator))
        for name, shape in (("a", (3, 4)), ("b", (5,)))
    }
    term = build_objective(choice("fedprox", mu=0.3))
    assert term is not None
    term.start(params, {})
    start = {name: param.detach().clone() for name, param in params.items()}
    with torch.no_grad():
        for param in params.values():
            param.add_(torch.randn(param.shape, generator=generator))

    expected = 0.3 / 2 * sum(((params[n] - start[n]) ** 2).sum() for n in params)
    gradients = torch.autograd.grad(expected, list(params.values()))
    for param in params.values():
        param.grad = torch.ones_like(param)
    value = term.gradient(0.3)

    assert value is not None
    torch.testing.assert_close(value, expected.detach(), rtol=1e-6, atol=1e-6)
    for param, gradient in zip(params.values(), gradients, strict=True):
        torch.testing.assert_close(param.grad, 1 + gradient, rtol=1e-6, atol=1e-6)


def test_a_parameter_without_a_gradient_is_left_out_of_the_term() -> None:
    unused, used = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))
    term = build_objective(choice("fedprox", mu=0.5))
    assert term is not None
    term.start({"unused": unused, "used": used}, {})
    with torch.no_grad():
        used.add_(2.0)
    used.grad = torch.zeros(2)
    value = term.gradient(0.5)
    # 0.5/2 · (2² + 2²), and 0.5 · 2 on each gradient.
    assert value is not None
    assert float(value) == pytest.approx(2.0)
    assert used.grad.tolist() == [1.0, 1.0]
    assert unused.grad is None


def test_mu_of_zero_leaves_gradients_alone() -> None:
    param = torch.nn.Parameter(torch.ones(2))
    term = build_objective(choice("fedprox", mu=0.0))
    assert term is not None
    term.start({"w": param}, {})
    param.grad = torch.full((2,), 0.5)
    assert term.gradient(0.0) is None
    assert param.grad.tolist() == [0.5, 0.5]
