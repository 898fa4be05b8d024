"""FedAvg that notes when a round begins, when updates are there, and when they are averaged."""

from zk0_core.protocols import Update
from zk0_core.tensors import Tensors
from zk0_exchange.stamps import stamp
from zk0_strategies.fedavg import FedAvg


class StampedFedAvg(FedAvg):
    """The strategy itself is as it was."""

    def begin(self, params: Tensors, round: int) -> None:
        """Start from the global parameters `params`, not packed for the nodes yet."""
        stamp("begin")
        super().begin(params, round)

    def add(self, update: Update) -> None:
        """Fold one update in, which is unpacked and was found usable."""
        stamp("update")
        super().add(update)

    def finish(self) -> Tensors:
        """Return the new global parameters."""
        averaged = super().finish()
        stamp("averaged")
        return averaged
