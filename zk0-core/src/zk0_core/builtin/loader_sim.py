"""Demonstrations of the embedded simulator, recorded on demand: `sim:lift?region=left`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zk0_core.records import DatasetLoaderPlugin, NoOptions

if TYPE_CHECKING:
    from zk0_core.data import Progress, RobotDataset


class SimLoader:
    """Records demonstrations the first time they are asked for, and opens them."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the demonstrations that `uri` names; with split=eval, all are held out.

        Raises:
            DataError: if the address names no demonstrations.
        """
        from zk0_core.lerobot.datasets import LeRobotRobotDataset
        from zk0_core.sim.record import recorded
        from zk0_core.sim.spec import SimSpec

        spec = SimSpec.parse(uri)
        (folder,) = recorded([spec], 1, progress)
        held_out = spec.episodes if spec.split == "eval" else 0
        return LeRobotRobotDataset(uri, folder, held_out=held_out)

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
