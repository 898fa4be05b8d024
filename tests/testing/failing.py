"""Plugins under their contracts, and why one fails."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zk0_core import StrategyPlugin
from zk0_core.testing import Contract


def failure(contract: type[Contract], record: Any, name: str) -> str:
    """Return why the check `name` of `contract` fails for the plugin of `record`."""
    made = type("TestIt", (contract,), {"plugin": record})
    with pytest.raises(AssertionError) as failed:
        getattr(made(), name)()
    return str(failed.value)


class Mean:
    """A strategy that holds its contract: the mean, weighted by examples."""

    def begin(self, params, round):
        self.params, self.round = params, round
        self.sums = {name: np.zeros(array.shape) for name, array in params.items()}
        self.weight = 0

    def add(self, update):
        for name in self.sums:
            self.sums[name] += update.delta[name] * update.examples
        self.weight += update.examples

    def finish(self):
        return {
            name: (self.params[name] + total / self.weight).astype(np.float32)
            for name, total in self.sums.items()
        }

    def order(self, client):
        return {}

    def state(self):
        return {}

    def restore(self, state):
        pass


class Unweighted(Mean):
    def add(self, update):
        for name in self.sums:
            self.sums[name] += update.delta[name]
        self.weight = 1


def strategy(build: Callable[..., Any], **fields: Any) -> StrategyPlugin:
    return StrategyPlugin(name="it", summary="s", build=lambda options: build(), **fields)
