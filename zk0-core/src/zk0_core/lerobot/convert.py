"""A LeRobot folder of format v2.1 rewritten as v3.0, by LeRobot's own converter."""

import contextlib
import io
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs

from zk0_core.datacheck.findings import require_fit
from zk0_core.datacheck.inspection import inspect
from zk0_core.errors import DataError, Zk0Error
from zk0_core.lerobot.tables import CONVERTIBLE, load_info


@attrs.frozen
class Converted:
    """A dataset that was converted."""

    folder: Path
    """Where it is now, as v3.0."""
    original: Path
    """Where the v2.1 files are."""
    episodes: int
    frames: int


def convert(folder: Path, output: Path | None = None) -> Converted:
    """Convert the dataset at `folder`, and check the result before it gets its name.

    Args:
        folder: A dataset of format v2.1; nothing in it is changed.
        output: Where the result goes; must not be there yet. None: it takes the place of
            `folder`, which is renamed to `folder`-v2.1.

    Raises:
        DataError: if there is no such dataset, or no room for the result by that name.
        Zk0Error: if LeRobot cannot convert it.
    """
    folder = folder.absolute()
    frames = _check_source(folder)
    kept = folder if output else folder.with_name(f"{folder.name}-{CONVERTIBLE}")
    target = output.absolute() if output else folder
    for path in (target,) if output else (kept,):
        if path.exists():
            raise DataError(f"{path} is there already; move it away, or choose another --output")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, since only within a file system is a rename all or nothing.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as place:
        link = Path(place) / "dataset"
        # LeRobot's converter renames what it is given: let that be a link.
        link.symlink_to(folder, target_is_directory=True)
        _run_converter(link, folder)
        episodes = _check_result(link, folder, frames)
        shutil.rmtree(link / "images", ignore_errors=True)
        if not output:
            folder.rename(kept)
        link.rename(target)
    return Converted(target, kept, episodes, frames)


def _check_source(folder: Path) -> int:
    """Return how many frames `folder` has, if it is a dataset that can be converted."""
    info = load_info(folder)
    version = str(info.get("codebase_version"))
    if version.startswith("v3"):
        raise DataError(f"{folder} is in format {version} already; there is nothing to convert")
    if version != CONVERTIBLE:
        raise DataError(
            f"{folder} is in format {version}, LeRobot converts {CONVERTIBLE}; "
            f"convert it to {CONVERTIBLE} with the LeRobot of its time first"
        )
    for name in ("episodes.jsonl", "episodes_stats.jsonl", "tasks.jsonl"):
        if not (folder / "meta" / name).is_file():
            raise DataError(f"{folder}: meta/{name} is missing; copy or download it again")
    return int(info["total_frames"])


def _run_converter(folder: Path, source: Path) -> None:
    try:
        from lerobot.scripts.convert_dataset_v21_to_v30 import convert_dataset
    except ImportError as error:
        raise Zk0Error(
            f"LeRobot's converter cannot be used: {error}; pip install 'lerobot[dataset]==0.6.*'"
        ) from error
    try:
        with _quiet():
            convert_dataset(repo_id="local/dataset", root=folder, push_to_hub=False)
    # It raises whatever it meets: missing keys, broken videos, unequal numbers of episodes.
    except Exception as error:
        text = " ".join(str(error).split())
        raise Zk0Error(
            f"{source}: LeRobot cannot convert it: {type(error).__name__}: {text}; "
            "see whether every episode has its parquet file and its videos"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converter's bars and lines from the terminal."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _check_result(folder: Path, source: Path, frames: int) -> int:
    """Return the number of episodes of what came out, after looking through it."""
    from zk0_core.lerobot.datasets import LeRobotRobotDataset

    dataset = LeRobotRobotDataset(f"{source}, converted", folder)
    require_fit(inspect(dataset).findings, logging.getLogger(__name__).warning)
    if len(dataset.state) != frames:
        raise Zk0Error(
            f"{source}: {frames} frames before, {len(dataset.state)} after; it is left as it was"
        )
    return len(dataset.episodes)
