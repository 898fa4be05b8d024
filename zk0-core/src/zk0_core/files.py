"""Files and folders are written whole or not at all: beside the target first, then renamed."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_GONE = ".gone"


@contextmanager
def whole_file(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place, on failure it goes.

    The temporary name keeps the suffix, since encoders choose their format by it. A private file
    is for its owner alone to read.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        if not private:
            # mkstemp makes all files so; give the usual permissions back.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
        if private:
            # Keys and accounts must not be undone by a loss of power either.
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what killed processes left of `whole_file(path)`; nobody may be writing it.

    The name of `path` may be a pattern, such as `round_*.safetensors`.
    """
    for left in path.parent.glob(f".{path.stem}-*{path.suffix}"):
        left.unlink()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path`, whole or not at all.

    Raises:
        ValueError: if `value` holds a NaN or an infinity, which JSON has no word for.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it takes `path`'s place, on failure it goes.

    Its name is always the same, so that what a killed process left goes with the next attempt; one
    process at a time may write `path`.
    """
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove `folder`; a process that is killed at it leaves nothing that is taken for whole.

    What it does leave goes with the next `remove_gone`, to be called before this.
    """
    # Under a name that nobody looks for.
    gone = _gone(folder)
    folder.rename(gone)
    shutil.rmtree(gone)


def _gone(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{_GONE}")


def remove_gone(place: Path) -> None:
    """Remove what killed processes left of `remove_folder` in `place`; no other may be at it."""
    for gone in place.glob(f".*{_GONE}"):
        shutil.rmtree(gone)


def build_folder(folder: Path, build: Callable[[Path], object]) -> Path:
    """Return `folder`, made by `build` unless it is there; safe when several processes ask at once.

    `build` fills a temporary folder that takes the final name only when it returns.
    """
    if folder.is_dir():
        return folder
    with _only_one(folder):
        if folder.is_dir():
            return folder
        with whole_folder(folder) as part:
            build(part)
    return folder


def remove_built(folder: Path, stale: Callable[[], bool]) -> None:
    """Remove what `build_folder` made, if it is still `stale` when no other process is at it."""
    with _only_one(folder):
        if folder.is_dir() and stale():
            shutil.rmtree(_gone(folder), ignore_errors=True)
            remove_folder(folder)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep other processes from building or removing `folder`."""
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        yield
