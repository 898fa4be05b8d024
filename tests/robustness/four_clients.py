"""Four clients, one of which may send what it should not."""

from typing import Any

import numpy as np

TARGETS = 1 + 0.1 * np.random.default_rng(1).standard_normal((4, 4))
CLIENTS = ("evil", "left", "mid", "right")
"""The target of each client's quadratic; that of `evil` is as good as the others'."""
ROUNDS = 10

NOISE = 0.5
"""Seen as linear regressions on inputs of covariance 1, with so much noise on what is measured, the
quadratics' losses are ½ (‖w − b‖² + NOISE²)."""


def loss(clients: Any) -> float:
    """Return the honest clients' mean loss."""
    losses = [clients.problems[name].loss(clients.params) for name in CLIENTS[1:]]
    return float(np.mean(losses)) + NOISE**2 / 2
