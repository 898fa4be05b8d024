"""Updates that can be used and lead elsewhere: strategies that hold, and what the record shows."""

import re

import numpy as np
import pytest
from flwr.app import RecordDict

from tests.robustness.forging import each
from tests.robustness.four_clients import CLIENTS, loss
from zk0_core.outliers import outliers
from zk0_core.plan import PluginChoice
from zk0_core.registry import Registry
from zk0_core.transforms import NormClip, server_transforms
from zk0_core.wire.orders import RoundReport
from zk0_core.wire.packing import from_record, pack, tensors_from, to_record

LARGE, FLIP = each(lambda a: a * np.float32(1000)), each(lambda a: -a)


@pytest.mark.parametrize(
    ("strategy", "options", "forge"),
    [
        ("fedmedian", {}, LARGE),
        ("fedmedian", {}, FLIP),
        ("norm-clip", {}, LARGE),
        ("fedavg", {"norm_clip": 0.45}, LARGE),
    ],
    ids=["fedmedian-large", "fedmedian-flip", "norm-clip-large", "option-large"],
)
def test_a_robust_strategy_ends_near_where_it_would_have(
    run, without, strategy, options, forge
) -> None:
    clients = run(strategy, forge, **options)
    assert loss(clients) < 1.1 * without(strategy, **options)[0]
    found = outliers(clients.history)
    assert len(found) == 1
    if forge is LARGE:
        # Three steps of AdamW of 0.05 each way are as long for everyone, until the end is near.
        assert re.fullmatch(
            r"evil: updates \d{3,4} times as long as the others' in 10 of .*", found[0]
        )
    else:
        assert found[0].startswith("evil: updates point away from where the others go in ")


def test_fedavg_is_led_astray_by_both(run, without) -> None:
    for forge in (LARGE, FLIP):
        assert loss(run("fedavg", forge)) > 1.5 * without()[0]


def test_a_bound_on_norms_holds_no_variate(run, without) -> None:
    """What `scaffold` sends beside the update corrects everybody's gradients, at any length."""

    def forge(content: RecordDict) -> RecordDict:
        variate = tensors_from(content, "extra", "evil")
        turned = {name: array * np.float32(-1000) for name, array in variate.items()}
        update = tensors_from(content, "update", "evil")
        return to_record(from_record(content, RoundReport), update=pack(update), extra=pack(turned))

    clients = run("scaffold", forge, norm_clip=0.45)
    assert loss(clients) > 1.5 * without("scaffold", norm_clip=0.45)[0]


def test_honest_clients_do_not_stand_out(run) -> None:
    assert outliers(run("fedavg").history) == []


def test_the_record_has_the_norm_and_the_cosine_of_each_update(run) -> None:
    """Sign-like first steps: three of 0.05 towards 1 in 8 values, so that ‖Δ‖ = 0.15 √8 = 0.424."""
    first_round = run("fedavg", FLIP).history.rounds[1 - 1]
    assert [entry.client for entry in first_round.clients] == list(CLIENTS)
    for entry in first_round.clients:
        assert entry.update_norm == pytest.approx(0.15 * 8**0.5, rel=0.01)
    cosines = [entry.cosine for entry in first_round.clients]
    # All alike but for the sign: −1 to the mean of the others, 1 to that of two and one against.
    assert cosines == pytest.approx([-1.0, 1.0, 1.0, 1.0], abs=0.01)


def test_norm_clip_scales_what_is_longer() -> None:
    """(3, 4) is 5 long: clipped to 2.5 it is half as long; at 5 it is left as it is."""
    delta = {"x": np.array([3], np.float32), "y": np.array([[4]], np.float32)}
    halved = NormClip(2.5).apply(delta)
    assert [float(halved[name].item()) for name in ("x", "y")] == [1.5, 2.0]
    assert NormClip(5.0).apply(delta) is delta
    assert halved["y"].dtype == np.float32


def test_every_strategy_has_the_option_norm_clip() -> None:
    registry = Registry.discover()
    for name in registry.names("strategy"):
        assert registry.get("strategy", name).options().norm_clip is None, name
    assert server_transforms(PluginChoice("strategy", "fedadam", {"norm_clip": 2.0})) == (
        NormClip(2.0),
    )
    assert server_transforms(PluginChoice("strategy", "somebodys")) == ()
