"""A LeRobot v3 folder as a `RobotDataset`, read without LeRobot: parquet tables and videos."""

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from zk0_core.addresses import HELD_OUT, Address
from zk0_core.data import DatasetSchema, Episode
from zk0_core.errors import DataError
from zk0_core.lerobot.tables import (
    fingerprint,
    matrix,
    read_episodes,
    read_info,
    read_rows,
    read_tasks,
    stored_pictures,
)
from zk0_core.lerobot.videos import Segment, pictures

STATE, ACTION = "observation.state", "action"

OPTIONS = (HELD_OUT, "partition")
"""Options of an address that `open_folder` follows."""


class LeRobotRobotDataset:
    """The dataset at `folder`."""

    def __init__(self, uri: str, folder: Path, *, held_out: int = 0) -> None:
        """Read everything but pictures.

        Args:
            uri: What the user calls the dataset; errors start with it.
            folder: Holds `meta/info.json`.
            held_out: How many episodes, the last ones, are for evaluation only.

        Raises:
            DataError: if there is no dataset, of another version, doubled or damaged.
        """
        self.uri = uri
        self.folder = folder
        self.held_out = held_out
        self._info = read_info(uri, folder)
        features = self._info["features"]
        for name in (STATE, ACTION):
            if name not in features:
                raise DataError(
                    f"{uri}: no feature {name!r}, which every policy needs; "
                    f"it has {_names(features)}; record it"
                )
        rows = read_rows(uri, folder, [STATE, ACTION], int(self._info["total_frames"]))
        self.state = matrix(rows, STATE)
        self.action = matrix(rows, ACTION)
        self._meta = read_episodes(uri, folder)
        tasks = read_tasks(folder)
        self.episodes: Sequence[Episode] = _episodes(uri, rows, tasks, self.state, self.action)
        self.schema = self._schema(tuple(dict.fromkeys(e.task for e in self.episodes)))
        self.fingerprint = fingerprint(folder)

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield every picture of `camera` once, in frame order, as (height, width, 3) uint8.

        Raises:
            DataError: if a video is missing or ends too early; the text names the episode.
        """
        if self._info["features"][camera]["dtype"] == "image":
            yield from stored_pictures(self.folder, camera)
            return
        pattern = str(self._info["video_path"])
        segments = (
            Segment(
                episode=int(row["episode_index"]),
                file=self.folder
                / pattern.format(
                    video_key=camera,
                    chunk_index=row[f"videos/{camera}/chunk_index"],
                    file_index=row[f"videos/{camera}/file_index"],
                ),
                start=float(row[f"videos/{camera}/from_timestamp"]),
                frames=int(row["length"]),
            )
            for row in self._meta
        )
        yield from pictures(self.uri, segments, self.schema.fps)

    def _schema(self, tasks: tuple[str, ...]) -> DatasetSchema:
        features = self._info["features"]
        cameras = {
            name: _height_width_channels(feature)
            for name, feature in sorted(features.items())
            if feature["dtype"] in ("video", "image")
        }
        return DatasetSchema(
            cameras=cameras,
            state=_joints(features[STATE]),
            action=_joints(features[ACTION]),
            fps=int(self._info["fps"]),
            tasks=tasks,
            robot=str(self._info.get("robot_type") or "unknown"),
            format=f"LeRobot {self._info['codebase_version']}",
        )


def _episodes(
    uri: str, rows: pa.Table, tasks: Mapping[int, str], state: np.ndarray, action: np.ndarray
) -> list[Episode]:
    of = rows["episode_index"].to_numpy()
    task_of = rows["task_index"].to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(of)]
    episodes = []
    for start, stop in pairwise(starts):
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


def open_folder(address: Address, folder: Path) -> LeRobotRobotDataset:
    """Open `folder` as `address` asks for it: episodes held out, a partition.

    Raises:
        DataError: if it is no dataset, or holds out more episodes than it has.
    """
    held_out = address.whole_number(HELD_OUT)
    dataset = LeRobotRobotDataset(address.text, folder, held_out=held_out)
    if "partition" in address.options:
        dataset = with_episodes(dataset, address.options["partition"])
    if not 0 <= held_out <= len(dataset.episodes):
        raise DataError(
            f"{dataset.uri}: {HELD_OUT}={held_out} is out of range; it has "
            f"{len(dataset.episodes)} episodes, choose 0 to {len(dataset.episodes)}"
        )
    return dataset
