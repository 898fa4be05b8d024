"""A LeRobot v3 folder as a `RobotDataset`, read without LeRobot: parquet tables and videos."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zk0_core.addresses import HELD_OUT, Address
from zk0_core.data import DatasetSchema, Episode, RobotDataset
from zk0_core.datacheck.findings import Finding, UnfitDataset, numbers
from zk0_core.datacheck.rows import not_finite
from zk0_core.errors import DataError
from zk0_core.lerobot.checks import (
    check_places,
    check_places_of_videos,
    check_tasks,
    check_times,
    check_widths,
)
from zk0_core.lerobot.choosing import check_recorded, chosen_episodes, rename_option
from zk0_core.lerobot.tables import (
    fingerprint,
    matrix,
    read_episodes,
    read_info,
    read_rows,
    read_tasks,
    stored_pictures,
)
from zk0_core.lerobot.videos import Segment, pictures, video_findings
from zk0_core.renaming import renamed
from zk0_core.slower import SlowerDataset

STATE, ACTION = "observation.state", "action"


class LeRobotRobotDataset:
    """The dataset at `folder`."""

    def __init__(
        self,
        uri: str,
        folder: Path,
        *,
        held_out: int = 0,
        wanted: Callable[[int], bool] = lambda index: True,
    ) -> None:
        """Read everything but pictures.

        Args:
            uri: What the user calls the dataset; errors start with it.
            folder: Holds `meta/info.json`.
            held_out: How many of the wanted episodes, the last ones, are for evaluation only.
            wanted: Which episodes to have, by index; of the others nothing needs to be right but
                their number of frames and their videos.

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
        self._refuse(check_widths(uri, rows, features, (STATE, ACTION)))
        self.state = matrix(rows, STATE)
        self.action = matrix(rows, ACTION)
        self._meta = read_episodes(uri, folder)
        tasks = read_tasks(uri, folder)
        everything = episodes_of(rows, tasks, self.state, self.action)
        self.recorded = [episode.index for episode in everything]
        """All its episodes, chosen or not, by index."""
        self.episodes: Sequence[Episode] = [e for e in everything if wanted(e.index)]
        if not self.episodes:
            raise DataError(
                f"{uri}: no episode is chosen; it has episodes {numbers(self.recorded)}"
            )
        self.schema = self._schema(tuple(dict.fromkeys(e.task for e in self.episodes)))
        self._refuse(self._check_rows(rows, tasks, everything))
        self.fingerprint = fingerprint(folder)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the videos, as far as that shows without decoding them."""
        for camera in self._videos():
            shape = self.schema.cameras[camera]
            yield from video_findings(self.uri, self._segments(camera), self.schema.fps, shape)

    def frames(self, camera: str) -> Iterator[np.ndarray]:
        """Yield every picture of `camera` once, in frame order, as (height, width, 3) uint8.

        Raises:
            DataError: if a video is missing or ends too early; the text names the episode.
        """
        if self._info["features"][camera]["dtype"] == "image":
            yield from stored_pictures(self.folder, camera)
            return
        yield from pictures(self.uri, self._segments(camera), self.schema.fps)

    def _check_rows(
        self, rows: pa.Table, tasks: Mapping[int, str], everything: Sequence[Episode]
    ) -> Iterator[Finding]:
        chosen = self.episodes
        yield from check_places(self.uri, everything, self._meta)
        yield from check_places_of_videos(self.uri, self._videos(), self._meta)
        yield from not_finite(self.uri, chosen, self.state, self.action)
        times = rows["timestamp"].to_numpy()
        yield from check_times(self.uri, chosen, times, self.schema.fps)
        task_of = rows["task_index"].to_numpy()
        named = {e.index: int(task_of[e.start]) for e in chosen}
        yield from check_tasks(
            self.uri, {e: task for e, task in named.items() if task not in tasks}
        )

    def _refuse(self, findings: Iterable[Finding]) -> None:
        if found := list(findings):
            raise UnfitDataset(found)

    def _videos(self) -> list[str]:
        """Return the cameras whose pictures are in videos."""
        features = self._info["features"]
        return [camera for camera in self.schema.cameras if features[camera]["dtype"] == "video"]

    def _segments(self, camera: str) -> list[Segment]:
        pattern = str(self._info["video_path"])
        return [
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
        ]

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


def episodes_of(
    rows: pa.Table, tasks: Mapping[int, str], state: np.ndarray, action: np.ndarray
) -> list[Episode]:
    """Return the episodes of `rows`; one whose task is not in `tasks` has an empty one."""
    of = rows["episode_index"].to_numpy()
    task_of = rows["task_index"].to_numpy()
    starts = [0, *(np.flatnonzero(np.diff(of)) + 1).tolist(), len(of)]
    episodes = []
    for start, stop in pairwise(starts):
        content = np.ascontiguousarray(np.concatenate([state[start:stop], action[start:stop]], 1))
        digest = hashlib.sha256(content.data).hexdigest()
        task = tasks.get(int(task_of[start]), "")
        episodes.append(Episode(int(of[start]), start, stop, task, digest))
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


def open_folder(address: Address, folder: Path) -> RobotDataset:
    """Open `folder` as `address` asks for it: chosen episodes, a lower rate, other names.

    Raises:
        DataError: if it is no dataset, is damaged, or has not what the address asks for.
    """
    held_out = address.whole_number(HELD_OUT)
    rename = rename_option(address)
    dataset = LeRobotRobotDataset(
        address.text, folder, held_out=held_out, wanted=chosen_episodes(address)
    )
    check_recorded(address, dataset.recorded)
    if not 0 <= held_out <= len(dataset.episodes):
        raise DataError(
            f"{dataset.uri}: {HELD_OUT}={held_out} is out of range; it has "
            f"{len(dataset.episodes)} episodes, choose 0 to {len(dataset.episodes)}"
        )
    opened: RobotDataset = dataset
    if "fps" in address.options:
        opened = SlowerDataset(dataset, address.whole_number("fps"))
    return renamed([opened], rename)[0] if rename else opened
