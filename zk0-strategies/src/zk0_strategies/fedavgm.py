"""FedAvgM: averaging with momentum on the server.

Hsu et al. 2019, "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
Classification": v ← momentum · v + mean update; w ← w + lr · v. Flower's FedAvgM does the step.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.records import StrategyOptions
from zk0_core.validators import between, gt

if TYPE_CHECKING:
    from zk0_core.protocols import Strategy


@attrs.frozen(kw_only=True)
class FedAvgMOptions(StrategyOptions):
    """Options of `fedavgm`."""

    lr: float = attrs.field(
        default=1.0, validator=gt(0), metadata={"help": "Step of the server along the momentum."}
    )
    momentum: float = attrs.field(
        default=0.9,
        validator=between(0, 1),
        metadata={"help": "How much of the last rounds' direction stays; 0 is FedAvg."},
    )


def build(options: FedAvgMOptions) -> "Strategy":
    """Return Flower's FedAvgM, fed with the streamed mean."""
    from flwr.serverapp.strategy import FedAvgM

    from zk0_strategies.flower import FlowerOptimizer

    flower = FedAvgM(server_learning_rate=options.lr, server_momentum=options.momentum)
    return FlowerOptimizer(flower, kept={"momentum_vector": list})
