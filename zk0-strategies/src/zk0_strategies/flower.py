"""Flower's server optimisers as zk0 strategies.

Flower's FedAvgM, FedAdam, FedAdagrad and FedYogi first take the weighted mean of all replies, held
in memory together, then move the global weights along it. Here the mean streams, and Flower is
given that mean as if one client had sent it.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.errors import RoundError
from zk0_core.records import StrategyOptions
from zk0_core.validators import between, gt
from zk0_strategies.base import StrategyDefaults, WeightedMean, moved

if TYPE_CHECKING:
    from flwr.app import RecordDict
    from flwr.serverapp.strategy import FedAvg

    from zk0_core.protocols import Update
    from zk0_core.tensors import Tensors


@attrs.frozen(kw_only=True)
class AdaptiveOptions(StrategyOptions):
    """Options of those that move by a running mean of updates over that of their squares."""

    # Flower's default, 0.1, is several times a transformer's weights.
    lr: float = attrs.field(
        default=0.01,
        validator=gt(0),
        metadata={"help": "Step of the server: about how far a value moves in a round."},
    )
    beta_1: float = attrs.field(
        default=0.9,
        validator=between(0, 0.9999),
        metadata={"help": "How much of the mean direction stays from round to round."},
    )
    beta_2: float = attrs.field(
        default=0.99,
        validator=between(0, 0.9999),
        metadata={"help": "How much of the mean square stays from round to round."},
    )
    tau: float = attrs.field(
        default=1e-3,
        validator=gt(0),
        metadata={"help": "How adaptive: updates well below tau move in proportion to lr / tau."},
    )


@attrs.frozen
class _Reply:
    """As much of Flower's Message as its strategies look at."""

    content: "RecordDict"

    def has_error(self) -> bool:
        """Refused updates never come this far."""
        return False


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Flower from telling that it received one result: that is the mean of all."""
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class FlowerOptimizer(StrategyDefaults):
    """A zk0 strategy around one of Flower's that moves weights along the mean of the replies.

    How Flower is made to fit:

    - Whom to ask and when a round counts is zk0's to say; Flower samples nobody.
    - The reply has one tensor record and one metric, so that no client's metrics can end the run.
    - Flower sees weights relative to the round's start, which is 0 to it. Differences of nearly
      equal float32 weights would lose most of a small update.
    - Flower's result is float64 in part; parameters are float32 again.
    - What has no dimension gets one for Flower, whose sums would make a number of it.
    """

    def __init__(self, flower: "FedAvg", kept: Mapping[str, type]) -> None:
        """Wrap a strategy of Flower's.

        Args:
            flower: The strategy, which aggregates by `aggregate_train`.
            kept: Its attributes that outlive a round, and whether each is a `dict` by name or a
                `list` in order of name.
        """
        flower.fraction_train = 0.0
        self._flower: Any = flower
        self._kept = kept
        self._names: list[str] = []

    def begin(self, params: "Tensors", round: int) -> None:
        """Start round `round` at the global parameters `params`."""
        self._params = params
        self._names = sorted(params)
        self._round = round
        self._mean = WeightedMean(params)

    def add(self, update: "Update") -> None:
        """Fold one update into the mean, weighted by its examples."""
        self._mean.add(update.delta, update.examples)

    def finish(self) -> "Tensors":
        """Return the parameters after Flower's step along the mean, as float32.

        Raises:
            RoundError: if Flower made nothing of the mean.
        """
        import numpy as np
        from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

        mean = {name: np.atleast_1d(tensor) for name, tensor in self._mean.value().items()}
        start = {name: Array(np.zeros(mean[name].shape, np.float32)) for name in self._names}
        arrays = {name: Array(mean[name].astype(np.float32)) for name in self._names}
        content = RecordDict(
            {"arrays": ArrayRecord(arrays), "metrics": MetricRecord({"num-examples": 1})}
        )
        self._flower.current_arrays = None
        self._flower.configure_train(self._round, ArrayRecord(start), ConfigRecord(), None)
        with _quiet():
            step, _ = self._flower.aggregate_train(self._round, [_Reply(content)])
        if not step:
            raise RoundError(
                f"{type(self._flower).__name__} of Flower gave no parameters in round {self._round}"
            )
        return moved(
            self._params,
            {name: step[name].numpy().reshape(self._params[name].shape) for name in self._names},
        )

    def state(self) -> "Tensors":
        """Return what Flower keeps, as `ATTRIBUTE/NAME`."""
        state: Tensors = {}
        for attribute, kind in self._kept.items():
            value = getattr(self._flower, attribute)
            if value is None:
                continue
            named = value if kind is dict else dict(zip(self._names, value, strict=True))
            state |= {f"{attribute}/{name}": tensor for name, tensor in named.items()}
        return state

    def restore(self, state: "Tensors") -> None:
        """Take back what `state` returned."""
        for attribute, kind in self._kept.items():
            prefix = f"{attribute}/"
            named = {
                name.removeprefix(prefix): state[name]
                for name in sorted(state)
                if name.startswith(prefix)
            }
            value = named if kind is dict else list(named.values())
            setattr(self._flower, attribute, value or None)
            self._names = list(named)
