"""Seven clients with a linear regression each, one of which sends its update times −10."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from zk0_core.parts import build_strategy
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Update

CLIENTS, EXAMPLES, DIMENSIONS = 7, 200, 10
ROUNDS, STEPS, LR = 40, 5, 0.05
SHIFT, NOISE = 0.1, 0.5
"""How far the clients' true weights are apart, and the noise on what they measure."""


def final_loss(name: str, options: Mapping[str, Any], attacker: int | None) -> float:
    """Return the mean squared error over all clients' examples, halved, after training."""
    random = np.random.default_rng(0)
    inputs = random.standard_normal((CLIENTS, EXAMPLES, DIMENSIONS))
    truth = 1.0 + SHIFT * random.standard_normal((CLIENTS, DIMENSIONS, 1))
    measured = (inputs @ truth)[..., 0] + NOISE * random.standard_normal((CLIENTS, EXAMPLES))
    strategy = build_strategy(PluginChoice("strategy", name, options))
    params = {"w": np.zeros(DIMENSIONS, np.float32)}
    for round in range(1, ROUNDS + 1):
        strategy.begin(params, round)
        for client in range(CLIENTS):
            x, y, local = inputs[client], measured[client], params["w"].astype(np.float64)
            for _ in range(STEPS):
                local = local - LR * x.T @ (x @ local - y) / EXAMPLES
            delta = (local - params["w"]) * (-10 if client == attacker else 1)
            update = {"w": delta.astype(np.float32)}
            strategy.add(Update(f"client-{client}", EXAMPLES, update))
        params = strategy.finish()
    return float(np.square(inputs @ params["w"] - measured).mean() / 2)


ROBUST = [
    ("fedmedian", {}),
    ("trimmed-mean", {"beta": 0.25}),
    ("krum", {"f": 1}),
    ("multi-krum", {"f": 1}),
    ("bulyan", {"f": 1}),
    ("norm-clip", {}),
]


@pytest.mark.parametrize(("name", "options"), ROBUST, ids=[name for name, _ in ROBUST])
@pytest.mark.parametrize("attacker", range(CLIENTS))
def test_a_robust_strategy_ends_where_it_would_have(name, options, attacker) -> None:
    assert final_loss(name, options, attacker) < 1.1 * final_loss(name, options, None)


def test_robust_strategies_learn_as_well_as_fedavg_does() -> None:
    plain, start = final_loss("fedavg", {}, None), DIMENSIONS / 2
    for name, options in ROBUST:
        # From about ½ · D · 1² at w = 0 down to near the noise.
        assert final_loss(name, options, None) < plain + 0.02 * start, name


@pytest.mark.parametrize("attacker", range(CLIENTS))
def test_fedavg_is_led_astray(attacker) -> None:
    assert final_loss("fedavg", {}, attacker) > 10 * final_loss("fedavg", {}, None)
