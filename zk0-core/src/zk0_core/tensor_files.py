"""Named tensors in files of their own, with their hash: damage is found when they are read."""

from pathlib import Path

from zk0_core.errors import Zk0Error
from zk0_core.files import whole_file
from zk0_core.tensors import Tensors, as_arrays, fingerprint

HASH = "sha256"
"""Entry of the file's metadata that holds the fingerprint of its tensors."""


class DamagedFile(Zk0Error):
    """A file does not hold what was written to it."""


def write_tensors(path: Path, tensors: Tensors) -> None:
    """Write `tensors` to `path`, whole or not at all."""
    from safetensors.numpy import save_file

    with whole_file(path) as temporary:
        save_file(as_arrays(tensors), temporary, metadata={HASH: fingerprint(tensors)})


def read_tensors(path: Path) -> Tensors:
    """Return what `write_tensors` wrote.

    Raises:
        DamagedFile: if the file is missing, cut off, or changed by as much as a bit.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            expected = (file.metadata() or {}).get(HASH)
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as problem:
        raise DamagedFile(f"{path} cannot be read: {problem}") from None
    if fingerprint(tensors) != expected:
        raise DamagedFile(f"{path} is damaged: its hash is not the one that was written with it")
    return tensors
