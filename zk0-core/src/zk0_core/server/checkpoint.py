"""Where a run can be taken up again: parameters and the strategy's state after a round.

The clients' own states lie with the clients, kept by round; the orders say which one to go on from.
So a run that goes back to its last checkpoint, however it ended, trains as if it never had.
"""

import shutil
from pathlib import Path

import attrs

from zk0_core.files import whole_file, whole_folder
from zk0_core.tensors import Tensors

KEPT = 2
"""Checkpoints kept: the last one, and the one before, to which clients can still go back."""


@attrs.frozen
class Checkpoint:
    """What a run goes on from."""

    round: int
    params: Tensors
    strategy: Tensors


class Checkpoints:
    """The checkpoints of a run, one folder a round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, checkpoint: Checkpoint) -> None:
        """Write `checkpoint`, whole or not at all; drop those that are too old to be used."""
        from safetensors.numpy import save_file

        parts = {"params": checkpoint.params, "strategy": checkpoint.strategy}
        with whole_folder(self._path(checkpoint.round)) as folder:
            for name, tensors in parts.items():
                with whole_file(folder / f"{name}.safetensors") as temporary:
                    save_file(tensors, temporary)
        for old in self._rounds()[:-KEPT]:
            shutil.rmtree(self._path(old))

    def last(self) -> Checkpoint | None:
        """Return the newest checkpoint; None before the first, that of the untrained start."""
        from safetensors.numpy import load_file

        rounds = self._rounds()
        if not rounds:
            return None
        folder = self._path(rounds[-1])
        return Checkpoint(
            rounds[-1],
            load_file(folder / "params.safetensors"),
            load_file(folder / "strategy.safetensors"),
        )

    def _rounds(self) -> list[int]:
        return sorted(
            int(path.name.removeprefix("round_")) for path in self._folder.glob("round_*")
        )

    def _path(self, round: int) -> Path:
        return self._folder / f"round_{round}"
