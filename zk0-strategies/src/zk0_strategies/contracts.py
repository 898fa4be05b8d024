"""Where a strategy of this package is more than a mean: its contract says so, with the reason.

`zk0 plugins test` finds this module beside plugin.py. Strategies that are not named here hold the
whole contract as it is.
"""

from typing import ClassVar

from zk0_core.testing import StrategyContract

ADAPTIVE = (
    "the server moves by an adaptive step along the mean update, whose length does not depend on "
    "the update's"
)


class TestFedAdam(StrategyContract):
    """Adam on the server."""

    plugin = "fedadam"
    exceptions: ClassVar = {"test_mean_of_equal_updates": ADAPTIVE}


class TestFedAdagrad(StrategyContract):
    """Adagrad on the server."""

    plugin = "fedadagrad"
    exceptions: ClassVar = {"test_mean_of_equal_updates": ADAPTIVE}


class TestFedYogi(StrategyContract):
    """Yogi on the server."""

    plugin = "fedyogi"
    exceptions: ClassVar = {"test_mean_of_equal_updates": ADAPTIVE}


class TestDiLoCo(StrategyContract):
    """Nesterov momentum on the server; without it and with steps of 1 it is the mean."""

    plugin = "diloco"
    mean_options: ClassVar = {"lr": 1.0, "momentum": 0.0}


class TestQFedAvg(StrategyContract):
    """A mean weighted by losses; with q of 0 it is the plain mean over clients."""

    plugin = "qfedavg"
    mean_options: ClassVar = {"q": 0.0}
