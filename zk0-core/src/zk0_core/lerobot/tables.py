"""The files of a LeRobot v3 folder but its videos: information, frames, episodes, tasks."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zk0_core.errors import DataError

CONVERTIBLE = "v2.1"
"""The one older format that LeRobot converts to v3.0."""


def read_info(uri: str, folder: Path) -> dict[str, Any]:
    """Return meta/info.json, refusing what is no dataset of version 3."""
    if not folder.is_dir():
        raise DataError(f"{uri}: no folder {folder}; check the path")
    file = folder / "meta" / "info.json"
    if not file.is_file():
        raise DataError(
            f"{uri}: {folder} is no LeRobot dataset: meta/info.json is missing; "
            "give the folder that holds meta/, data/ and videos/"
        )
    info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    version = str(info.get("codebase_version"))
    if not version.startswith("v3"):
        raise DataError(
            f"{uri}: {folder} is in LeRobot format {version}, zk0 reads v3.0; "
            f"{_remedy(uri, folder, version)}"
        )
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
    # ParquetFile, since read_table would take "chunk-000" in the path for a partition column.
    rows = pa.concat_tables([pq.ParquetFile(file).read(columns=wanted) for file in files])
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
        table = pq.ParquetFile(file)
        # Besides places of episodes there are per-episode statistics, which are wide.
        names = [n for n in table.schema_arrow.names if not n.startswith(("stats/", "tasks"))]
        rows += table.read(columns=names).to_pylist()
    return sorted(rows, key=lambda row: int(row["episode_index"]))


def read_tasks(folder: Path) -> dict[int, str]:
    """Return the instructions by their number."""
    table = pq.read_table(folder / "meta" / "tasks.parquet").to_pydict()
    # LeRobot writes the instruction as pandas' index, whose column has either name.
    texts = table.get("task") or table.get("__index_level_0__") or []
    return dict(zip(table["task_index"], texts, strict=True))


def matrix(rows: pa.Table, column: str) -> np.ndarray:
    """Return a column of lists as (N, D) float32."""
    flat = rows[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    # A copy: Arrow's memory is read-only, which torch warns of.
    return np.array(flat.reshape(len(rows), -1), dtype=np.float32)


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
            with file.open("rb") as content:
                inner = hashlib.file_digest(content, "sha256").hexdigest()
            digest.update(f"{file.relative_to(folder)}\x1f{inner}\x1f".encode())
    return digest.hexdigest()
