"""What Flower's own strategies make of the same updates."""

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower

from zk0_core.errors import RoundError
from zk0_core.protocols import Update
from zk0_core.tensors import Tensors

CLIENTS, ROUNDS = 7, 3
SHAPES = {"a.weight": (4, 3), "b.bias": (5,), "c.scale": (1,)}

PAIRS: list[tuple[str, dict[str, Any], Callable[[], Any]]] = [
    (
        "fedavgm",
        {"lr": 0.5, "momentum": 0.8},
        lambda: flower.FedAvgM(server_learning_rate=0.5, server_momentum=0.8),
    ),
    (
        "fedadam",
        {"lr": 0.05, "beta_1": 0.8, "beta_2": 0.95, "tau": 0.01},
        lambda: flower.FedAdam(eta=0.05, beta_1=0.8, beta_2=0.95, tau=0.01),
    ),
    ("fedadagrad", {"lr": 0.05, "tau": 0.01}, lambda: flower.FedAdagrad(eta=0.05, tau=0.01)),
    (
        "fedyogi",
        {"lr": 0.05, "beta_1": 0.8, "beta_2": 0.95, "tau": 0.01},
        lambda: flower.FedYogi(eta=0.05, beta_1=0.8, beta_2=0.95, tau=0.01),
    ),
    (
        "qfedavg",
        {"q": 0.7, "lipschitz": 2.0},
        lambda: flower.QFedAvg(client_learning_rate=0.5, q=0.7, train_loss_key="loss"),
    ),
    ("fedmedian", {}, flower.FedMedian),
    ("trimmed-mean", {"beta": 0.3}, lambda: flower.FedTrimmedAvg(beta=0.3)),
    ("krum", {"f": 2}, lambda: flower.Krum(num_malicious_nodes=2)),
    (
        "multi-krum",
        {"f": 1},
        lambda: flower.MultiKrum(num_malicious_nodes=1, num_nodes_to_select=CLIENTS - 3),
    ),
    (
        "multi-krum",
        {"f": 1, "select": 2},
        lambda: flower.MultiKrum(num_malicious_nodes=1, num_nodes_to_select=2),
    ),
    ("bulyan", {"f": 1}, lambda: flower.Bulyan(num_malicious_nodes=1)),
]


@pytest.fixture(scope="module", autouse=True)
def _quick_collections() -> Iterator[None]:
    """Flower collects garbage for every reply, which takes long with all that tests import."""
    gc.freeze()
    yield
    gc.unfreeze()


@attrs.frozen
class Reply:
    content: RecordDict

    def has_error(self) -> bool:
        return False


def flower_round(theirs: Any, params: Tensors, updates: list[Update], round: int) -> Tensors:
    """Return what Flower's strategy makes of a round, in float64, which both sides round from."""
    theirs.fraction_train = 0.0
    arrays = {name: Array(value) for name, value in params.items()}
    theirs.configure_train(round, ArrayRecord(arrays), ConfigRecord(), None)
    replies = []
    for update in updates:
        weights = {name: Array(params[name] + update.delta[name]) for name in params}
        metrics = {"num-examples": update.examples, "loss": update.start_loss or 0.0}
        content = RecordDict({"arrays": ArrayRecord(weights), "metrics": MetricRecord(metrics)})
        replies.append(Reply(content))
    result, _ = theirs.aggregate_train(round, replies)
    assert result is not None
    return {name: array.numpy() for name, array in result.items()}


@pytest.mark.parametrize(("name", "options", "make"), PAIRS, ids=[pair[0] for pair in PAIRS])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_flower(build, name, options, make, seed) -> None:
    random = np.random.default_rng(seed)
    ours, theirs = build(name, **options), make()
    params = {n: random.standard_normal(s).astype(np.float32) for n, s in SHAPES.items()}
    flowers: Tensors = {n: value.astype(np.float64) for n, value in params.items()}
    for round in range(1, ROUNDS + 1):
        updates = [
            Update(
                f"client-{index}",
                int(random.integers(1, 50)),
                {n: random.standard_normal(s).astype(np.float32) for n, s in SHAPES.items()},
                start_loss=float(random.uniform(0.1, 2.0)),
            )
            for index in range(CLIENTS)
        ]
        ours.begin(params, round)
        for update in updates:
            ours.add(update)
        params = ours.finish()
        flowers = flower_round(theirs, flowers, updates, round)
        for tensor in SHAPES:
            np.testing.assert_allclose(params[tensor], flowers[tensor], rtol=1e-6, atol=1e-6)


def test_a_flower_that_gives_nothing_is_named() -> None:
    from zk0_strategies.flower import FlowerOptimizer

    class Silent(flower.FedAdam):
        def aggregate_train(self, server_round: int, replies: object) -> Any:
            return None, None

    strategy = FlowerOptimizer(Silent(), kept={})
    strategy.begin({"w": np.zeros(1, np.float32)}, 4)
    strategy.add(Update("a", 1, {"w": np.ones(1, np.float32)}))
    with pytest.raises(RoundError, match="Silent of Flower gave no parameters in round 4"):
        strategy.finish()


def test_flower_does_not_report_the_mean_as_the_only_result(combine) -> None:
    told: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = told.append  # type: ignore[method-assign]  # a list is enough of a log
    logger = logging.getLogger("flwr")
    logger.addHandler(handler)
    try:
        combine("fedadam", [1.0], [2.0])
        assert told == []
        logger.info("heard")
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in told] == ["heard"]
