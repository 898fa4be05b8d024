"""Updates that stay on disk, for strategies that go over all of a round's at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np

from zk0_core.files import whole_file
from zk0_core.protocols import Update
from zk0_core.tensors import Tensors


class KeptTensors(Mapping[str, np.ndarray]):
    """Named tensors in a file, each read when it is asked for and not kept in memory."""

    def __init__(self, path: Path, tensors: Tensors) -> None:
        """Write `tensors` to `path`, over what may be there."""
        from safetensors.numpy import save_file

        with whole_file(path) as temporary:
            save_file(tensors, temporary)
        self._path = path
        self._names = tuple(sorted(tensors))

    def __getitem__(self, name: str) -> np.ndarray:
        from safetensors import safe_open

        if name not in self._names:
            raise KeyError(name)
        with safe_open(self._path, framework="numpy") as file:
            return file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def kept(update: Update, folder: Path) -> Update:
    """Return `update` with its delta in a file of `folder`, the client's own."""
    path = folder / f"{update.client}.update"
    return attrs.evolve(update, delta=KeptTensors(path, dict(update.delta)))
