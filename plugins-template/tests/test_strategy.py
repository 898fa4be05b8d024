"""Values worked out by hand."""

import numpy as np
import pytest

from zk0_core import Update
from zk0_plugin_template.strategy import Mean, MeanOptions


@pytest.mark.parametrize(("step", "expected"), [(1.0, [3.0, 1.0]), (0.5, [2.0, 1.5])])
def test_every_client_counts_alike(step: float, expected: list[float]) -> None:
    """The mean is over clients, not over examples."""
    strategy = Mean(MeanOptions(step=step))
    strategy.begin({"w": np.array([1.0, 2.0], np.float32)}, round=1)
    strategy.add(Update("few", 1, {"w": np.array([1.0, 0.0], np.float32)}))
    strategy.add(Update("many", 999, {"w": np.array([3.0, -2.0], np.float32)}))

    result = strategy.finish()["w"]

    # The mean update is ([1, 0] + [3, −2]) / 2 = [2, −1].
    assert result.tolist() == expected
    assert result.dtype == np.float32
