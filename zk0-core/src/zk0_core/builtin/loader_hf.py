"""Datasets of the Hugging Face Hub: `hf:owner/name@revision?eval_episodes=5`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zk0_core.records import DatasetLoaderPlugin, NoOptions

if TYPE_CHECKING:
    from zk0_core.data import Progress, RobotDataset


class HubLoader:
    """Downloads datasets of the Hub, once, and opens them."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the dataset that `uri` names; it stays in the Hub's own cache.

        Raises:
            DataError: if it is not there, cannot be reached, or is not of version 3.
        """
        from zk0_core.addresses import Address
        from zk0_core.lerobot.choosing import OPTIONS
        from zk0_core.lerobot.datasets import open_folder
        from zk0_core.lerobot.hub import downloaded

        address = Address.parse(uri, OPTIONS)
        return open_folder(address, downloaded(address))

    def prepare(
        self, uris: Sequence[str], workers: int, progress: "Progress | None" = None
    ) -> None:
        """Download what is not there yet, so that workers don't ask for it at once."""
        for number, uri in enumerate(uris):
            self.open(uri, progress)
            if progress:
                progress("downloading datasets", number + 1, len(uris))


def build(options: NoOptions) -> HubLoader:
    """Return the loader."""
    return HubLoader()


PLUGIN = DatasetLoaderPlugin(
    name="hf", summary="A LeRobot v3 dataset of the Hugging Face Hub", build=build
)
