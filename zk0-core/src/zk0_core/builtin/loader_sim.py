"""Demonstrations of the embedded simulator, recorded on demand: `sim:lift?region=left`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from zk0_core.addresses import Address
from zk0_core.records import DatasetLoaderPlugin, NoOptions

if TYPE_CHECKING:
    from zk0_core.data import Progress, RobotDataset


class SimLoader:
    """Records demonstrations the first time they are asked for, and opens them."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the demonstrations that `uri` names; with split=eval, all are held out.

        Raises:
            DataError: if the address names no demonstrations, or chooses none of them.
        """
        from zk0_core.lerobot.datasets import open_folder
        from zk0_core.sim.record import recorded
        from zk0_core.sim.spec import OF_A_RECORDING, SimSpec

        spec, address = SimSpec.parse(uri), Address.parse(uri)
        (folder,) = recorded([spec], 1, progress)
        # `episodes` is how many were recorded, and not which of them to take.
        choice = {name: address.options[name] for name in OF_A_RECORDING if name in address.options}
        dataset = open_folder(attrs.evolve(address, options=choice), folder)
        if spec.split == "eval":
            dataset.held_out = len(dataset.episodes)
        return dataset

    def prepare(
        self, uris: Sequence[str], workers: int, progress: "Progress | None" = None
    ) -> None:
        """Record what is not there yet, all addresses together, by `workers` processes."""
        from zk0_core.sim.record import recorded
        from zk0_core.sim.spec import SimSpec

        recorded([SimSpec.parse(uri) for uri in uris], workers, progress)


def build(options: NoOptions) -> SimLoader:
    """Return the loader."""
    return SimLoader()


PLUGIN = DatasetLoaderPlugin(
    name="sim", summary="Demonstrations of the embedded simulator, recorded on demand", build=build
)
