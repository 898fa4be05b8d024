"""Where a run can be taken up again: parameters and the strategy's state after a round.

The clients' own states lie with the clients, kept by round; the orders say which one to go on from.
So a run that goes back to its last checkpoint, however it ended, trains as if it never had.
"""

import re
import shutil
from pathlib import Path

import attrs
from loguru import logger

from zk0_core.errors import Zk0Error
from zk0_core.files import whole_folder
from zk0_core.tensor_files import DamagedFile, read_tensors, write_tensors
from zk0_core.tensors import Tensors

PARAMS, STRATEGY = "params.safetensors", "strategy.safetensors"

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
        with whole_folder(self._path(checkpoint.round)) as folder:
            write_tensors(folder / PARAMS, checkpoint.params)
            write_tensors(folder / STRATEGY, checkpoint.strategy)
        for old in sorted(rounds_in(self._folder))[:-KEPT]:
            shutil.rmtree(self._path(old))

    def last(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole; None before the first.

        Raises:
            Zk0Error: if there are some, and none of them can be used.
        """
        damaged: list[str] = []
        for round in sorted(rounds_in(self._folder), reverse=True):
            folder = self._path(round)
            try:
                params, strategy = (read_tensors(folder / name) for name in (PARAMS, STRATEGY))
            except DamagedFile as problem:
                damaged.append(str(problem))
                logger.bind(shown=True).warning(
                    "checkpoint of round {} is left out: {}", round, problem
                )
                continue
            return Checkpoint(round, params, strategy)
        if damaged:
            raise Zk0Error(
                f"no checkpoint in {self._folder} can be used: {'; '.join(damaged)}; restore one "
                "from a copy, or start the run afresh"
            )
        return None

    def _path(self, round: int) -> Path:
        return self._folder / f"round_{round}"


def rounds_in(folder: Path) -> dict[int, Path]:
    """Return the folders in `folder` that are called round_N, by N; a person's copies are not."""
    found = ((re.fullmatch(r"round_(\d+)", path.name), path) for path in folder.glob("round_*"))
    return {int(name[1]): path for name, path in found if name and path.is_dir()}
