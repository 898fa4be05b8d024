"""Values worked out by hand."""

import numpy as np
import pytest
from zk0_fed_nova.strategy import FedNova

from zk0_core import StrategyOptions, Update, WireError


def combined(*updates: Update) -> list[float]:
    """Return where the parameter 0 goes."""
    strategy = FedNova(StrategyOptions())
    strategy.begin({"w": np.zeros(1, np.float32)}, round=1)
    for update in updates:
        strategy.add(update)
    return strategy.finish()["w"].tolist()


def update(client: str, examples: int, delta: float, steps: float) -> Update:
    """Return an update of one value."""
    extra = {"steps": np.full(1, steps, np.float32)}
    return Update(client, examples, {"w": np.full(1, delta, np.float32)}, extra)


def test_updates_count_by_step() -> None:
    """Shares 1/4 and 3/4, steps 10 and 2: τ = 4, and 4 · (1/4 · 20/10 + 3/4 · 2/2) = 5."""
    assert combined(update("a", 1, 20.0, 10), update("b", 3, 2.0, 2)) == [5.0]


def test_equal_steps_are_fedavg() -> None:
    """(1 · 20 + 3 · 4) / 4 = 8, whatever the steps are."""
    assert combined(update("a", 1, 20.0, 5), update("b", 3, 4.0, 5)) == [8.0]


def test_a_client_that_does_not_count_is_refused() -> None:
    """The text says what was sent."""
    with pytest.raises(WireError, match=r"^steps must be a number of 1 or more, got \[0\.\]$"):
        combined(update("a", 1, 1.0, 0))
