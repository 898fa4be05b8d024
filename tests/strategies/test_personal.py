"""Personal parts: they train, stay at their client, and never travel."""

import numpy as np
import pytest

from zk0_core.errors import UsageError
from zk0_core.personal import check_personal, split
from zk0_core.registry import Registry
from zk0_core.wire.packing import tensors_from

NAMES = ("model.action_in_proj.weight", "model.action_out_proj.bias", "model.norm.weight")


@pytest.mark.parametrize(
    ("pattern", "personal"),
    [
        ("model.norm.weight", ["model.norm.weight"]),
        ("action_out_proj.*", ["model.action_out_proj.bias"]),
        ("*.weight", ["model.action_in_proj.weight", "model.norm.weight"]),
        ("weight", ["model.action_in_proj.weight", "model.norm.weight"]),
        ("out_proj.*", []),
    ],
)
def test_patterns_match_names_or_what_follows_a_dot(pattern, personal) -> None:
    shared, own = split(dict.fromkeys(NAMES, 0), [pattern])
    assert list(own) == personal
    assert sorted([*shared, *own]) == sorted(NAMES)


def test_a_pattern_that_matches_nothing_names_the_nearest() -> None:
    with pytest.raises(UsageError) as refused:
        check_personal(NAMES, ["norm.*", "action_ut_proj.bias"])
    assert str(refused.value) == (
        "strategy.personal: 'action_ut_proj.bias' matches no tensor of the policy; the nearest "
        "are model.action_out_proj.bias, model.action_in_proj.weight, model.norm.weight"
    )


def test_nothing_left_to_exchange_is_an_error() -> None:
    text = r"strategy.personal: \*.weight, \*.bias leaves no tensor to exchange; leave a pattern"
    with pytest.raises(UsageError, match=text):
        check_personal(NAMES, ["*.weight", "*.bias"])


def test_no_pattern_is_fine() -> None:
    check_personal(NAMES, [])


def test_every_strategy_has_the_option() -> None:
    registry = Registry.discover()
    for name in registry.names("strategy"):
        assert registry.get("strategy", name).options().personal == (), name


TARGETS = {"left": [1.0, -2.0], "right": [-1.0, 0.5]}


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox", "scaffold", "fedadam", "norm-clip"])
def test_a_personal_head_stays_at_home(federate, quadratic, strategy) -> None:
    problems = {name: quadratic([1.0, 1.0], target) for name, target in TARGETS.items()}
    options = {"personal": ("head.*",), **({"bound": 9.0} if strategy == "norm-clip" else {})}
    clients = federate(problems, strategy, options, local_steps=10, lr=0.1)
    for _ in range(8):
        record = clients.round()
        for message in clients.grid.sent:
            assert list(tensors_from(message.content, "params", "the server")) == ["body.w"]
    assert len(record.clients) == 2
    assert clients.params["head.w"].tolist() == [0.0, 0.0]
    assert clients.params["body.w"].any()
    for name, target in TARGETS.items():
        # 80 steps of AdamW at 0.1 on one's own valley end near its bottom; the shared part is
        # dragged to and fro.
        kept = clients.state(name, 8)
        np.testing.assert_allclose(kept["personal:head.w"], target, atol=0.1)
        assert not np.allclose(clients.params["body.w"], target, atol=0.5)


def test_a_refused_round_takes_the_personal_part_back_too(federate, quadratic) -> None:
    def spoil(round, report, update):
        bad = {name: np.full_like(value, np.nan) for name, value in update.items()}
        return report, bad if round in (1, 3) else update

    problems = {name: quadratic([1.0, 1.0], target) for name, target in TARGETS.items()}
    clients = federate(problems, "fedavg", {"personal": ("head.*",)}, optimizer_state="reset")
    clients.grid.tamper["left"] = spoil
    head = []
    for number in (1, 2, 3, 4):
        clients.round()
        head.append(clients.state("left", number)["personal:head.w"])
    # Round 1 was refused, so that round 2 began from the start again, and 4 from the end of 2:
    # 5 steps of 0.05 each, one way.
    np.testing.assert_allclose(head[2], head[3], rtol=1e-6)
    np.testing.assert_allclose(np.abs(head[3]), 10 * 0.05, atol=0.02)


def test_the_proximal_term_leaves_a_personal_part_free(federate, quadratic) -> None:
    problems = {"only": quadratic([1.0], [1.0])}
    options = {"personal": ("head.*",), "mu": 1000.0}
    clients = federate(problems, "fedprox", options, local_steps=40, lr=0.05)
    from zk0_core.span import Span

    assert clients.federation.schedules.mu(1, clients.history) == Span.constant(1000.0)
    clients.round()
    assert abs(clients.state("only", 1)["personal:head.w"][0] - 1.0) < 0.2
    assert abs(clients.params["body.w"][0]) < 0.2
