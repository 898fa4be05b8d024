"""A LeRobot v3 folder as a `RobotDataset`, read without LeRobot: parquet tables and videos."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zk0_core.data import DatasetSchema, Episode
from zk0_core.errors import DataError
from zk0_core.lerobot.uri import DatasetUri
from zk0_core.lerobot.videos import Segment, pictures

STATE, ACTION = "observation.state", "action"


class LeRobotRobotDataset:
    """The dataset at `folder`, with its features under the names that `rename` gives them."""

    def __init__(
        self,
        uri: str,
        folder: Path,
        *,
        held_out: int = 0,
        rename: Mapping[str, str] | None = None,
    ) -> None:
        """Read everything but pictures.

        Args:
            uri: What the user calls the dataset; errors start with it.
            folder: Holds `meta/info.json`.
            held_out: How many episodes, the last ones, are for evaluation only.
            rename: Feature names in the dataset to the names they shall have.

        Raises:
            DataError: if there is no dataset, of another version, doubled or damaged.
        """
        self.uri = uri
        self.folder = folder
        self.held_out = held_out
        self._info = _read_info(uri, folder)
        features = self._info["features"]
        for old in rename or {}:
            if old not in features:
                raise DataError(f"{uri}: no feature {old!r} to rename; it has {_names(features)}")
        new = {name: (rename or {}).get(name, name) for name in features}
        if len(set(new.values())) < len(new):
            raise DataError(f"{uri}: the rename map gives two features one name")
        self._old = {renamed: name for name, renamed in new.items()}
        for name in (STATE, ACTION):
            if name not in self._old:
                raise DataError(
                    f"{uri}: no feature {name!r}, which every policy needs; "
                    f"it has {_names(features)}; name one with a rename map"
                )
        columns = [self._old[STATE], self._old[ACTION]]
        rows = _read_rows(uri, folder, columns, int(self._info["total_frames"]))
        self.state = _matrix(rows, columns[0])
        self.action = _matrix(rows, columns[1])
        self._meta = _read_episodes(uri, folder)
        tasks = _read_tasks(folder)
        self.episodes = _episodes(uri, rows, tasks, self.state, self.action)
        self.schema = self._schema(tuple(dict.fromkeys(e.task for e in self.episodes)))
        self.fingerprint = _fingerprint(folder, rename or {})

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield every picture of `camera` once, in frame order, as (height, width, 3) uint8.

        Raises:
            DataError: if a video is missing or ends too early; the text names the episode.
        """
        old = self._old[camera]
        if self._info["features"][old]["dtype"] == "image":
            yield from _stored_pictures(self.folder, old)
            return
        pattern = str(self._info["video_path"])
        segments = (
            Segment(
                episode=int(row["episode_index"]),
                file=self.folder
                / pattern.format(
                    video_key=old,
                    chunk_index=row[f"videos/{old}/chunk_index"],
                    file_index=row[f"videos/{old}/file_index"],
                ),
                start=float(row[f"videos/{old}/from_timestamp"]),
                frames=int(row["length"]),
            )
            for row in self._meta
        )
        yield from pictures(self.uri, segments, self.schema.fps)

    def _schema(self, tasks: tuple[str, ...]) -> DatasetSchema:
        features = self._info["features"]
        cameras = {
            new: _height_width_channels(features[old])
            for new, old in sorted(self._old.items())
            if features[old]["dtype"] in ("video", "image")
        }
        return DatasetSchema(
            cameras=cameras,
            state=_joints(features[self._old[STATE]]),
            action=_joints(features[self._old[ACTION]]),
            fps=int(self._info["fps"]),
            tasks=tasks,
            robot=str(self._info.get("robot_type") or "unknown"),
            format=f"LeRobot {self._info['codebase_version']}",
        )


def _read_info(uri: str, folder: Path) -> dict[str, Any]:
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
    if version.startswith("v2"):
        raise DataError(
            f"{uri}: {folder} is in LeRobot format {version}, zk0 reads v3.0; "
            f"convert it with `zk0 data convert {folder}`"
        )
    if not version.startswith("v3"):
        raise DataError(f"{uri}: {folder} is in LeRobot format {version}, zk0 reads v3.0")
    return info


def _read_rows(uri: str, folder: Path, columns: list[str], total: int) -> pa.Table:
    """Return the frames in order, refusing more or fewer than the metadata promise."""
    wanted = ["index", "episode_index", "task_index", *columns]
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


def _read_episodes(uri: str, folder: Path) -> list[dict[str, Any]]:
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


def _read_tasks(folder: Path) -> dict[int, str]:
    table = pq.read_table(folder / "meta" / "tasks.parquet").to_pydict()
    # LeRobot writes the instruction as pandas' index, whose column has either name.
    texts = table.get("task") or table.get("__index_level_0__") or []
    return dict(zip(table["task_index"], texts, strict=True))


def _episodes(
    uri: str, rows: pa.Table, tasks: Mapping[int, str], state: np.ndarray, action: np.ndarray
) -> list[Episode]:
    of = rows["episode_index"].to_numpy()
    task_of = rows["task_index"].to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(of)]
    episodes = []
    for start, stop in zip(starts, starts[1:], strict=False):
        index = int(of[start])
        content = np.ascontiguousarray(np.concatenate([state[start:stop], action[start:stop]], 1))
        if not np.isfinite(content).all():
            raise DataError(
                f"{uri}: episode {index} holds a NaN or infinite state or action; "
                "delete or record the episode again"
            )
        task = tasks.get(int(task_of[start]))
        if task is None:
            raise DataError(
                f"{uri}: episode {index} names task {int(task_of[start])}, "
                "which meta/tasks.parquet does not have; copy the dataset again"
            )
        digest = hashlib.sha256(content.data).hexdigest()
        episodes.append(Episode(index=index, start=start, stop=stop, task=task, hash=digest))
    return episodes


def _matrix(rows: pa.Table, column: str) -> np.ndarray:
    """Return a column of lists as (N, D) float32."""
    flat = rows[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    # A copy: Arrow's memory is read-only, which torch warns of.
    return np.array(flat.reshape(len(rows), -1), dtype=np.float32)


def _stored_pictures(folder: Path, column: str) -> Iterator[np.ndarray]:
    """Yield pictures kept as files inside the parquet tables."""
    import io

    from PIL import Image

    for file in sorted((folder / "data").rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(batch_size=64, columns=[column]):
            for cell in batch.column(0).to_pylist():
                yield np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB"))


def _joints(feature: Mapping[str, Any]) -> tuple[str, ...]:
    names = feature.get("names") or []
    if isinstance(names, Mapping):  # {"motors": [...]}, as older recordings have it
        names = [name for group in names.values() for name in group]
    if len(names) != feature["shape"][0]:
        names = [f"joint_{number}" for number in range(feature["shape"][0])]
    return tuple(str(name) for name in names)


def _height_width_channels(feature: Mapping[str, Any]) -> tuple[int, int, int]:
    height, width, channels = feature["shape"]
    if (feature.get("names") or [""])[0] in ("channel", "channels"):
        channels, height, width = feature["shape"]
    return int(height), int(width), int(channels)


def _fingerprint(folder: Path, rename: Mapping[str, str]) -> str:
    """Return the SHA-256 over every file of the dataset, and over the names it goes under."""
    digest = hashlib.sha256(json.dumps(sorted(rename.items())).encode())
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


def _names(features: Mapping[str, Any]) -> str:
    own = ("timestamp", "frame_index", "episode_index", "index", "task_index")
    return ", ".join(name for name in features if name not in own)


def with_episodes(dataset: LeRobotRobotDataset, partition: str) -> LeRobotRobotDataset:
    """Return `dataset` with only the episodes of `partition`.

    Args:
        dataset: Left as it is.
        partition: "i/N": the episodes whose index leaves i when divided by N.

    Raises:
        DataError: if it is not of that form, or no episode is left.
    """
    import copy

    first, _, second = partition.partition("/")
    if not (first.isdigit() and second.isdigit() and int(first) < int(second)):
        raise DataError(
            f"{dataset.uri}: partition must be i/N with 0 ≤ i < N, such as 0/4; got {partition!r}"
        )
    part = copy.copy(dataset)
    part.episodes = [e for e in dataset.episodes if e.index % int(second) == int(first)]
    if not part.episodes:
        raise DataError(
            f"{dataset.uri}: partition {partition} of {len(dataset.episodes)} episodes is empty"
        )
    tasks = tuple(dict.fromkeys(episode.task for episode in part.episodes))
    part.schema = attrs.evolve(dataset.schema, tasks=tasks)
    return part


def open_folder(address: DatasetUri, folder: Path) -> LeRobotRobotDataset:
    """Open `folder` as `address` asks for it: episodes held out, a partition.

    Raises:
        DataError: if it is no dataset, or holds out more episodes than it has.
    """
    dataset = LeRobotRobotDataset(address.text, folder, held_out=address.eval_episodes)
    if address.partition:
        dataset = with_episodes(dataset, address.partition)
    if dataset.held_out > len(dataset.episodes):
        raise DataError(
            f"{dataset.uri}: eval_episodes={dataset.held_out} but it has "
            f"{len(dataset.episodes)} episodes; hold out fewer"
        )
    return dataset
