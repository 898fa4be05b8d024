"""Small LeRobot folders written by hand, so that no test here waits for LeRobot's import."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TOP, WRIST = "observation.images.top", "observation.images.wrist"
JOINTS = ("shoulder_pan.pos", "elbow_flex.pos", "gripper.pos")
TASKS = ("Pick up the cube", "Put it down")


@attrs.frozen(kw_only=True)
class Recording:
    """What is written: episodes of smooth joints and of pictures that change with every frame."""

    lengths: Sequence[int] = (6, 5, 7)
    fps: int = 10
    cameras: Mapping[str, tuple[int, int]] = {TOP: (48, 64), WRIST: (48, 64)}
    state: Sequence[str] = JOINTS
    action: Sequence[str] = JOINTS
    robot: str = "so101_follower"
    reach: float = 60.0
    """Largest absolute value of a joint."""
    seed: int = 0
    codecs: Mapping[str, str] = {}
    """Camera to its video's codec; h264 where none is given."""

    @property
    def frames(self) -> int:
        return sum(self.lengths)

    def joints(self, names: Sequence[str]) -> np.ndarray:
        """Return (N, D) float32: a sine for each joint, at its full reach somewhere."""
        time = np.arange(self.frames)[:, None] + self.seed
        wave = np.sin(time / 3 + np.arange(len(names)))
        return (wave / np.abs(wave).max(axis=0) * self.reach).astype(np.float32)

    def pictures(self, camera: str) -> np.ndarray:
        """Return (N, height, width, 3) uint8."""
        height, width = self.cameras[camera]
        y, x = np.mgrid[0:height, 0:width]
        shades = [(2 * x + y + 9 * frame + 40 * self.seed) % 256 for frame in range(self.frames)]
        return np.stack([np.stack([s, 255 - s, s], -1) for s in shades]).astype(np.uint8)

    def columns(self, episode: int) -> dict[str, Any]:
        """Return the rows of one episode."""
        start = sum(self.lengths[:episode])
        length = self.lengths[episode]
        rows = slice(start, start + length)
        return {
            "observation.state": self.joints(self.state)[rows].tolist(),
            "action": (self.joints(self.action)[rows] + 1).tolist(),
            "timestamp": (np.arange(length) / self.fps).astype(np.float32),
            "frame_index": np.arange(length),
            "episode_index": np.full(length, episode),
            "index": np.arange(start, start + length),
            "task_index": np.full(length, episode % 2),
        }

    def features(self) -> dict[str, Any]:
        """Return what meta/info.json says of them."""
        plain = ("frame_index", "episode_index", "index", "task_index")
        return {
            "observation.state": _joints(self.state),
            "action": _joints(self.action),
            **{
                camera: {
                    "dtype": "video",
                    "shape": [*size, 3],
                    "names": ["height", "width", "channels"],
                    "info": {"video.fps": self.fps},
                }
                for camera, size in self.cameras.items()
            },
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
            **{name: {"dtype": "int64", "shape": [1], "names": None} for name in plain},
        }


def _joints(names: Sequence[str]) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [len(names)], "names": list(names)}


def write_v3(folder: Path, recording: Recording) -> Path:
    """Write `recording` in format v3.0: all episodes in one file."""
    parts = [_table(recording.columns(e)) for e in range(len(recording.lengths))]
    _parquet(folder / "data/chunk-000/file-000.parquet", pa.concat_tables(parts))
    for camera in recording.cameras:
        place = folder / "videos" / camera / "chunk-000" / "file-000.mp4"
        codec = recording.codecs.get(camera, "h264")
        write_video(place, recording.pictures(camera), recording.fps, codec)
    places = []
    for episode, length in enumerate(recording.lengths):
        start = sum(recording.lengths[:episode])
        place = {"episode_index": episode, "length": length, "tasks": [TASKS[episode % 2]]}
        place |= {"dataset_from_index": start, "dataset_to_index": start + length}
        place |= {"data/chunk_index": 0, "data/file_index": 0}
        place |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        for camera in recording.cameras:
            place |= {f"videos/{camera}/chunk_index": 0, f"videos/{camera}/file_index": 0}
            place[f"videos/{camera}/from_timestamp"] = start / recording.fps
            place[f"videos/{camera}/to_timestamp"] = (start + length) / recording.fps
        places.append(place)
    _parquet(folder / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(places))
    tasks = pa.table({"task_index": [0, 1], "task": list(TASKS)})
    _parquet(folder / "meta/tasks.parquet", tasks)
    _info(
        folder,
        recording,
        codebase_version="v3.0",
        data_files_size_in_mb=100,
        video_files_size_in_mb=200,
        data_path="data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    )
    return folder


def write_v21(folder: Path, recording: Recording) -> Path:
    """Write `recording` in format v2.1: a file for each episode."""
    episodes, statistics = [], []
    for episode, length in enumerate(recording.lengths):
        columns = recording.columns(episode)
        name = f"episode_{episode:06d}"
        _parquet(folder / f"data/chunk-000/{name}.parquet", _table(columns))
        stats = {key: _stats(np.array(values)) for key, values in columns.items()}
        start = sum(recording.lengths[:episode])
        for camera in recording.cameras:
            pictures = recording.pictures(camera)[start : start + length]
            write_video(folder / f"videos/chunk-000/{camera}/{name}.mp4", pictures, recording.fps)
            stats[camera] = _stats(pictures.transpose(0, 3, 1, 2) / 255, (0, 2, 3))
        episodes.append({"episode_index": episode, "tasks": [TASKS[episode % 2]], "length": length})
        statistics.append({"episode_index": episode, "stats": stats})
    for name, rows in (
        ("episodes", episodes),
        ("episodes_stats", statistics),
        ("tasks", [{"task_index": number, "task": task} for number, task in enumerate(TASKS)]),
    ):
        file = folder / "meta" / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    _info(
        folder,
        recording,
        codebase_version="v2.1",
        total_chunks=1,
        total_videos=len(recording.lengths) * len(recording.cameras),
        data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        video_path="videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    )
    return folder


def write_video(path: Path, pictures: np.ndarray, fps: int, codec: str = "h264") -> None:
    """Encode (N, height, width, 3) uint8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"g": "2", "crf": "23"})
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def change_rows(folder: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    """Let `change` edit the columns of the one data file, as lists."""
    file = folder / "data/chunk-000/file-000.parquet"
    table = pq.ParquetFile(file).read()
    columns = table.to_pydict()
    change(columns)
    pq.write_table(_table(columns), file)


def change_info(folder: Path, **values: object) -> None:
    """Replace keys of meta/info.json."""
    file = folder / "meta" / "info.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def _table(columns: Mapping[str, Any]) -> pa.Table:
    lists = pa.list_(pa.float32())
    return pa.table(
        {
            name: pa.array(values, lists) if name in ("observation.state", "action") else values
            for name, values in columns.items()
        }
    )


def _parquet(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def _info(folder: Path, recording: Recording, **own: object) -> None:
    info = {
        "robot_type": recording.robot,
        "total_episodes": len(recording.lengths),
        "total_frames": recording.frames,
        "total_tasks": 2,
        "chunks_size": 1000,
        "fps": recording.fps,
        "splits": {"train": f"0:{len(recording.lengths)}"},
        "features": recording.features(),
        **own,
    }
    (folder / "meta" / "info.json").write_text(json.dumps(info, indent=2))


def _stats(values: np.ndarray, axes: tuple[int, ...] = (0,)) -> dict[str, Any]:
    wide = values if values.ndim > 1 else values[:, None]
    shape = (-1, 1, 1) if len(axes) > 1 else (-1,)
    found = {
        name: getattr(wide, name)(axis=axes).reshape(shape).tolist()
        for name in ("min", "max", "mean", "std")
    }
    return {**found, "count": [len(wide)]}
