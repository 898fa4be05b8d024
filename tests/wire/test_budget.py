"""The bytes of a round, counted before it: a policy of 8 values in two tensors, by hand."""

import pytest

from tests.quadratic import PARTS, Federate, Quadratic, QuadraticPolicy
from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.server.budget import RoundBudget, round_budget
from zk0_core.testing import examples

HEAD = 128
"""What Flower puts before each array."""


def plan(codec: str = "float32", strategy: str = "fedprox", **changes: object) -> RunPlan:
    return examples.plan(
        codec=PluginChoice("codec", codec), strategy=PluginChoice("strategy", strategy), **changes
    )


@pytest.mark.parametrize(
    ("codec", "up", "down"),
    [
        ("float32", 8 * 4 + 2 * HEAD, 8 * 4 + 2 * HEAD),
        ("bfloat16", 8 * 2 + 2 * HEAD, 8 * 2 + 2 * HEAD),
        # The weight has two rows, the bias is one channel: three scales.
        ("int8", 8 + 3 * 4 + 4 * HEAD, 8 * 2 + 2 * HEAD),
    ],
)
def test_what_the_codec_makes_of_the_policy(codec: str, up: int, down: int) -> None:
    budget = round_budget(examples.TinyPolicy(), plan(codec), 2)
    assert (budget.up, budget.down, budget.clients) == (up, down, 2)


def test_what_a_strategys_halves_send_each_other_counts() -> None:
    """SCAFFOLD sends a control variate up, and from the second round on one down: as much again."""
    budget = round_budget(examples.TinyPolicy(), plan(strategy="scaffold"), 2)
    once = 8 * 4 + 2 * HEAD
    assert (budget.up, budget.down) == (2 * once, 2 * once)


def test_personal_parts_and_clients_that_are_not_asked_do_not_count() -> None:
    strategy = PluginChoice("strategy", "fedavg", {"personal": ("bias",)})
    asked = examples.plan(strategy=strategy, fraction=0.5)
    budget = round_budget(examples.TinyPolicy(), asked, 2)
    assert (budget.up, budget.clients) == (6 * 4 + HEAD, 1)


def test_gradients_are_left_as_they_were() -> None:
    policy = examples.TinyPolicy()
    round_budget(policy, plan(), 2)
    assert all(param.grad is None for param in policy.trainable().values())


def test_the_line_and_its_seconds() -> None:
    """1.5 MB are 12 Mbit: 6 s at 2 Mbit/s."""
    budget = RoundBudget(up=1_500_000, down=250_000_000, clients=4, uplink_mbps=2.0)
    assert budget.upload_seconds == 6.0
    assert str(budget) == (
        "a round on the wire: 1.5 MB up and 250 MB down for each of 4 clients, 6.0 MB up and "
        "1000 MB down in all; an update takes 6.0 s at 2 Mbit/s"
    )
    assert "takes" not in str(RoundBudget(up=1, down=1, clients=1))


def test_it_is_what_a_round_really_takes(federate: Federate) -> None:
    """Two tensors of 50 values; int8 up, bfloat16 down: at 0.001 Mbit/s, 1,000 bits a second.

    Up: 50 bytes and a scale of 4 bytes for each tensor, four arrays: 2 × 54 + 4 × 128 = 620 bytes,
    4,960 bits. Down: 2 × (50 × 2 + 128) = 456 bytes.
    """
    problems = {name: Quadratic([1.0] * 50, [0.5] * 50) for name in ("ann", "bob", "eve")}
    clients = federate(problems, "fedprox", codec=PluginChoice("codec", "int8"), uplink_mbps=0.001)
    budget = round_budget(QuadraticPolicy(50), clients.plan, 3)
    assert len(PARTS) == 2
    assert (budget.up, budget.down, budget.upload_seconds) == (620, 456, pytest.approx(4.96))
    assert str(budget).endswith("an update takes 5.0 s at 0.001 Mbit/s")
    assert budget.figures()["up"] == 3 * 620
    record = clients.round()
    assert [(c.bytes_up, c.bytes_down) for c in record.clients] == [(620, 456)] * 3
    assert (record.bytes_up, record.bytes_down) == (3 * 620, 3 * 456)
