"""Datasets in a folder of this machine: `local:/data/desk?eval_episodes=5`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zk0_core.records import DatasetLoaderPlugin, NoOptions

if TYPE_CHECKING:
    from zk0_core.data import Progress, RobotDataset


class LocalLoader:
    """Opens LeRobot v3 folders."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the folder that `uri` names.

        Options of the address: `episodes=0-39,45` takes these episodes, `partition=i/N` those
        whose index leaves i when divided by N; `eval_episodes=K` holds the last K of them out of
        training; `fps=10` leaves out frames; `rename=old:new` gives cameras and joints other names.

        Raises:
            DataError: if it is missing, damaged, or no dataset of version 3.
        """
        from pathlib import Path

        from zk0_core.addresses import Address
        from zk0_core.lerobot.choosing import OPTIONS
        from zk0_core.lerobot.datasets import open_folder

        address = Address.parse(uri, OPTIONS)
        return open_folder(address, Path(address.place).expanduser())

    def prepare(
        self, uris: Sequence[str], workers: int, progress: "Progress | None" = None
    ) -> None:
        """Do nothing: the folders are there."""


def build(options: NoOptions) -> LocalLoader:
    """Return the loader."""
    return LocalLoader()


PLUGIN = DatasetLoaderPlugin(
    name="local", summary="A LeRobot v3 dataset in a folder of this machine", build=build
)
