"""The state of a client's optimizer, as it is kept from round to round."""

import torch

from zk0_core.client.optimizer import adamw, optimizer_state, restore_optimizer


def test_a_parameter_that_the_loss_does_not_depend_on_has_no_state() -> None:
    used, unused = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    named = {"unused": unused, "used": used}
    optimizer = adamw(named)
    used.grad = torch.tensor([1.0, -2.0])
    optimizer.step()
    state = optimizer_state(optimizer, named)
    assert sorted(state) == ["exp_avg/used", "exp_avg_sq/used", "step"]
    assert state["step"].tolist() == [1.0]

    again = adamw(named)
    restore_optimizer(again, named, state)
    assert sorted(optimizer_state(again, named)) == sorted(state)
    used.grad = torch.tensor([1.0, -2.0])
    again.step()
    assert optimizer_state(again, named)["step"].tolist() == [2.0]


def test_an_empty_state_starts_afresh() -> None:
    param = torch.nn.Parameter(torch.ones(2))
    optimizer = adamw({"w": param})
    param.grad = torch.ones(2)
    optimizer.step()
    restore_optimizer(optimizer, {"w": param}, {})
    assert optimizer_state(optimizer, {"w": param}) == {}


def test_moments_of_bfloat16_are_kept() -> None:
    param = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    optimizer = adamw({"w": param})
    param.grad = torch.tensor([1.0, -2.0], dtype=torch.bfloat16)
    optimizer.step()
    again = adamw({"w": param})
    restore_optimizer(again, {"w": param}, optimizer_state(optimizer, {"w": param}))
    for moment in ("exp_avg", "exp_avg_sq"):
        assert again.state[param][moment].dtype == torch.bfloat16
        assert torch.equal(again.state[param][moment], optimizer.state[param][moment])
