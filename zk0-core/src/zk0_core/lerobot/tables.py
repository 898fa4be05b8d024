"""The files of a LeRobot v3 folder but its videos: information, frames, episodes, tasks."""

import functools
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zk0_core.errors import DataError
from zk0_core.lerobot.videos import AGAIN

CONVERTIBLE = "v2.1"
"""The one older format that LeRobot converts to v3.0."""


def read_info(uri: str, folder: Path) -> dict[str, Any]:
    """Return meta/info.json, refusing what is no dataset of version 3."""
    if not folder.is_dir():
        raise DataError(f"{uri}: no folder {folder}; check the path")
    info = load_info(folder, f"{uri}: ")
    version = str(info.get("codebase_version"))
    if not version.startswith("v3"):
        raise DataError(
            f"{uri}: {folder} is in LeRobot format {version}, zk0 reads v3.0; "
            f"{_remedy(uri, folder, version)}"
        )
    if lacking := [key for key in ("features", "fps", "total_frames") if key not in info]:
        raise DataError(f"{uri}: {folder}/meta/info.json has no {', '.join(lacking)}; {AGAIN}")
    return info


def load_info(folder: Path, prefix: str = "") -> dict[str, Any]:
    """Return meta/info.json of `folder`, of whatever version.

    Raises:
        DataError: if it is missing or damaged; the text starts with `prefix`.
    """
    file = folder / "meta" / "info.json"
    if not file.is_file():
        raise DataError(
            f"{prefix}{folder} is no LeRobot dataset: meta/info.json is missing; "
            "give the folder that holds meta/, data/ and videos/"
        )
    try:
        info = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{prefix}{file} cannot be read: {error}; {AGAIN}") from error
    if not isinstance(info, dict):
        raise DataError(f"{prefix}{file} cannot be read: it is no table; {AGAIN}")
    return info


def _remedy(uri: str, folder: Path, version: str) -> str:
    """Return what to do about a folder in another format."""
    if version == CONVERTIBLE and uri.startswith("hf:"):
        name = uri.partition("?")[0]
        copy = name.rpartition("/")[2].replace("@", "-")
        return f"convert it with `zk0 data convert {name} --output {copy}` and use local:{copy}"
    if version == CONVERTIBLE:
        return f"convert it with `zk0 data convert {folder}`"
    if version.startswith("v2"):
        return f"convert it to {CONVERTIBLE} with the LeRobot of its time, then with zk0"
    return "upgrade zk0, or record it with LeRobot 0.4 to 0.6"


def read_rows(uri: str, folder: Path, columns: list[str], total: int) -> pa.Table:
    """Return the frames in order, refusing more or fewer than the metadata promise."""
    wanted = ["index", "episode_index", "task_index", "timestamp", *columns]
    files = sorted((folder / "data").rglob("*.parquet"))
    if not files:
        raise DataError(f"{uri}: {folder}/data has no parquet file; copy the dataset again")
    rows = pa.concat_tables([_columns(uri, file, wanted) for file in files])
    index = rows["index"].to_numpy()
    # v2.1 and v3 files in one folder give every frame twice, and nothing else would tell.
    if len(np.unique(index)) < len(index):
        raise DataError(
            f"{uri}: {folder}/data holds {len(index)} frames but meta/info.json says {total}: "
            f"frames are there twice, probably files of two format versions in one folder; "
            "delete the older ones (data/chunk-*/episode_*.parquet)"
        )
    if len(index) != total:
        raise DataError(
            f"{uri}: {folder}/data holds {len(index)} frames but meta/info.json says {total}; "
            "copy or download the dataset again"
        )
    return rows.take(np.argsort(index, kind="stable"))


def read_episodes(uri: str, folder: Path) -> list[dict[str, Any]]:
    """Return where each episode lies in tables and videos, in order of its index."""
    files = sorted((folder / "meta" / "episodes").rglob("*.parquet"))
    if not files:
        raise DataError(f"{uri}: {folder}/meta/episodes has no parquet file; copy it again")
    rows: list[dict[str, Any]] = []
    for file in files:
        # Besides places of episodes there are per-episode statistics, which are wide.
        places = _columns(uri, file, ["episode_index", "length"], but=("stats/", "tasks"))
        rows += places.to_pylist()
    return sorted(rows, key=lambda row: int(row["episode_index"]))


def read_tasks(uri: str, folder: Path) -> dict[int, str]:
    """Return the instructions by their number."""
    table = _columns(uri, folder / "meta" / "tasks.parquet", ["task_index"], but=()).to_pydict()
    # LeRobot writes the instruction as pandas' index, whose column has either name.
    texts = table.get("task") or table.get("__index_level_0__") or []
    return dict(zip(table["task_index"], texts, strict=True))


def _columns(
    uri: str, file: Path, needed: Sequence[str], but: tuple[str, ...] | None = None
) -> pa.Table:
    """Return the columns `needed` of a parquet file.

    Args:
        uri: The dataset, for errors.
        file: Where they are.
        needed: Their names.
        but: When given, all other columns come too, but for those whose names start so.

    Raises:
        DataError: if the file is missing or damaged, or lacks a column.
    """
    try:
        # ParquetFile, since read_table would take "chunk-000" in the path for a partition column.
        with pq.ParquetFile(file) as table:
            there = table.schema_arrow.names
            if lacking := [name for name in needed if name not in there]:
                raise DataError(f"{uri}: {file} has no column {', '.join(lacking)}; {AGAIN}")
            names = needed if but is None else [name for name in there if not name.startswith(but)]
            return table.read(columns=list(names))
    except (OSError, pa.ArrowException) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{uri}: {file} cannot be read: {text}; {AGAIN}") from error


_matrices: "WeakValueDictionary[str, np.ndarray]" = WeakValueDictionary()


def matrix(rows: pa.Table, column: str) -> np.ndarray:
    """Return a column of lists as (N, D) float32, which is not to be written to.

    Of one content there is one array in a process: clients that share a recording share it.
    """
    flat = rows[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    # A copy: Arrow's memory is read-only, which torch warns of.
    array = np.array(flat.reshape(len(rows), -1), dtype=np.float32)
    digest = hashlib.sha256(array.data)
    digest.update(str(array.shape).encode())
    return _matrices.setdefault(digest.hexdigest(), array)


def stored_pictures(folder: Path, column: str) -> Iterator[np.ndarray]:
    """Yield pictures kept as files inside the parquet tables."""
    from PIL import Image

    for file in sorted((folder / "data").rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=64, columns=[column]):
            for cell in batch.column(0).to_pylist():
                yield np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB"))


def fingerprint(folder: Path) -> str:
    """Return the SHA-256 over every file of the dataset."""
    digest = hashlib.sha256()
    for part in ("meta/info.json", "meta", "data", "videos"):
        place = folder / part
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.suffix not in (".parquet", ".mp4", ".json") or file.name == "stats.json":
                continue
            facts = file.stat()
            inner = _hash_of(file, facts.st_size, facts.st_mtime_ns)
            digest.update(f"{file.relative_to(folder)}\x1f{inner}\x1f".encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=4096)
def _hash_of(file: Path, size: int, changed: int) -> str:
    """Return the SHA-256 of `file`, read anew when its size or time of change is another."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
