"""The bytes of a round, counted before it: a policy of 8 values in two tensors, by hand."""

import pytest

from tests.quadratic import PARTS, Federate, Quadratic, QuadraticPolicy
from tests.wire.by_hand import file_size
from zk0_core.plan import PluginChoice, RunPlan
from zk0_core.server.budget import RoundBudget, round_budget
from zk0_core.testing import examples

FLOAT32 = file_size(
    '{"bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},'
    '"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}}',
    8 * 4,
)
BFLOAT16 = file_size(
    '{"bias":{"dtype":"U16","shape":[2],"data_offsets":[0,4]},'
    '"weight":{"dtype":"U16","shape":[2,3],"data_offsets":[4,16]}}',
    8 * 2,
)
INT8 = file_size(
    '{"scale:bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    '"scale:weight":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},'
    '"int8:bias":{"dtype":"I8","shape":[2],"data_offsets":[12,14]},'
    '"int8:weight":{"dtype":"I8","shape":[2,3],"data_offsets":[14,20]}}',
    # The weight has two rows, the bias is one channel: three scales.
    8 + 3 * 4,
)


def plan(codec: str = "float32", strategy: str = "fedprox", **changes: object) -> RunPlan:
    return examples.plan(
        codec=PluginChoice("codec", codec), strategy=PluginChoice("strategy", strategy), **changes
    )


@pytest.mark.parametrize(
    ("codec", "up", "down"),
    [
        ("float32", FLOAT32, FLOAT32),
        ("bfloat16", BFLOAT16, BFLOAT16),
        ("int8", INT8, BFLOAT16),
    ],
)
def test_what_the_codec_makes_of_the_policy(codec: str, up: int, down: int) -> None:
    budget = round_budget(examples.TinyPolicy(), plan(codec), 2)
    assert (budget.up, budget.down, budget.clients) == (up, down, 2)


def test_what_a_strategys_halves_send_each_other_counts() -> None:
    """SCAFFOLD sends a control variate up, and from the second round on one down: as much again."""
    budget = round_budget(examples.TinyPolicy(), plan(strategy="scaffold"), 2)
    assert (budget.up, budget.down) == (2 * FLOAT32, 2 * FLOAT32)


def test_personal_parts_and_clients_that_are_not_asked_do_not_count() -> None:
    strategy = PluginChoice("strategy", "fedavg", {"personal": ("bias",)})
    asked = examples.plan(strategy=strategy, fraction=0.5)
    budget = round_budget(examples.TinyPolicy(), asked, 2)
    header = '{"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    assert (budget.up, budget.clients) == (file_size(header, 6 * 4), 1)


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

    Up: 50 bytes and a scale of 4 bytes for each tensor. Down: 50 × 2 bytes each.
    """
    up = file_size(
        '{"scale:body.w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        '"scale:head.w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},'
        '"int8:body.w":{"dtype":"I8","shape":[50],"data_offsets":[8,58]},'
        '"int8:head.w":{"dtype":"I8","shape":[50],"data_offsets":[58,108]}}',
        2 * 54,
    )
    down = file_size(
        '{"body.w":{"dtype":"U16","shape":[50],"data_offsets":[0,100]},'
        '"head.w":{"dtype":"U16","shape":[50],"data_offsets":[100,200]}}',
        2 * 100,
    )
    problems = {name: Quadratic([1.0] * 50, [0.5] * 50) for name in ("ann", "bob", "eve")}
    clients = federate(problems, "fedprox", codec=PluginChoice("codec", "int8"), uplink_mbps=0.001)
    budget = round_budget(QuadraticPolicy(50), clients.plan, 3)
    assert len(PARTS) == 2
    assert (budget.up, budget.down) == (up, down)
    assert budget.upload_seconds == pytest.approx(up * 8 / 1000)
    assert str(budget).endswith("an update takes 3.0 s at 0.001 Mbit/s")
    assert budget.figures()["up"] == 3 * up
    record = clients.round()
    assert [(c.bytes_up, c.bytes_down) for c in record.clients] == [(up, down)] * 3
    assert (record.bytes_up, record.bytes_down) == (3 * up, 3 * down)
