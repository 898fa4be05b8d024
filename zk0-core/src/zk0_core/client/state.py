"""What a client keeps from round to round, one file a round, and what a node keeps of runs.

The server names the round to go on from: that of the client's last accepted update. So a refused
update, a lost reply or a server that went back to its checkpoint never puts the two out of step.
"""

import os
import time
from pathlib import Path

from zk0_core.errors import Zk0Error
from zk0_core.files import remove_folder, remove_gone, remove_unfinished
from zk0_core.tensor_files import read_tensors, write_tensors
from zk0_core.tensors import Tensors

KEPT = 2
"""Accepted rounds kept beside the one in progress: the last one, and the one before to go back
to. A client that is not asked in every round may have taken part in that one long ago."""

EARLIER_RUNS = 1
"""Runs whose states a node keeps beside the current one's: the last one, which may go on yet."""


class ClientState:
    """The states of one client, by the round after which each one held."""

    def __init__(self, folder: Path) -> None:
        """Open the states in `folder`, which nobody else may be writing."""
        self._folder = folder
        remove_unfinished(folder / "round_*.safetensors")

    def load(self, round: int) -> Tensors:
        """Return the state after round `round`; empty for round 0, the start.

        Raises:
            Zk0Error: if that round's state is not there, or damaged.
        """
        if round == 0:
            return {}
        path = self._path(round)
        if not path.is_file():
            raise Zk0Error(
                f"the state after round {round} is not in {self._folder}; the server asked to go "
                "on from it; start a new run from the model of this one (a node keeps the states "
                f"of its last {1 + EARLIER_RUNS} runs)"
            )
        return read_tensors(path)

    def save(self, round: int, state: Tensors, accepted_round: int) -> None:
        """Write the state after round `round`; drop those that no order can ask for any more."""
        write_tensors(self._path(round), state)
        rounds = self._rounds()
        # What lies between the two was not accepted; by the next time, it is gone from below.
        accepted = [old for old in rounds if old <= accepted_round]
        for old in (*accepted[:-KEPT], *(old for old in rounds if accepted_round < old < round)):
            self._path(old).unlink()

    def _rounds(self) -> list[int]:
        return sorted(
            int(path.stem.removeprefix("round_"))
            for path in self._folder.glob("round_*.safetensors")
        )

    def _path(self, round: int) -> Path:
        return self._folder / f"round_{round}.safetensors"


def begin_run(folder: Path) -> None:
    """Make `folder` that of the current run, and remove those of earlier runs beside it.

    The EARLIER_RUNS that were current last stay; all of them would fill a node's disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remove_gone(folder.parent)
    others = [
        path
        for path in folder.parent.iterdir()
        if path.is_dir() and path != folder and path.name[0] != "."
    ]
    for old in sorted(others, key=lambda path: path.stat().st_mtime_ns)[:-EARLIER_RUNS]:
        remove_folder(old)
    now = time.time_ns()  # finer than the file system's own clock
    os.utime(folder, ns=(now, now))
