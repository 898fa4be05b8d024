"""Folders of CSV joint logs with pictures, as a script on a robot might leave them.

    desk/robot.toml                  fps = 10, robot = "so101_follower"
    desk/episode-0/task.txt          Pick up the cube
    desk/episode-0/joints.csv        state/pan,state/lift,action/pan,action/lift, a row a frame
    desk/episode-0/top/0.png         one picture a frame and camera, all of one size

Addresses: `csv:/data/desk`, or `csv:/data/desk?eval_episodes=5` to hold the last five out.
"""

import csv
import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import attrs

from zk0_core import DataError

if TYPE_CHECKING:
    import numpy as np

    from zk0_core.data import DatasetSchema, Episode, Progress, RobotDataset

CAMERA = "observation.images."
"""What LeRobot puts before a camera's name."""


@attrs.define
class CsvDataset:
    """N frames in the episodes' folders."""

    uri: str
    schema: "DatasetSchema"
    fingerprint: str
    episodes: "Sequence[Episode]"
    held_out: int
    state: "np.ndarray"  # (N, S) float32
    action: "np.ndarray"  # (N, A) float32
    folders: Sequence[Path]

    def frames(self, camera: str) -> "Iterator[np.ndarray]":
        """Yield every picture of `camera`, (height, width, 3) uint8, in order of the frames."""
        import numpy as np
        from PIL import Image

        for folder, episode in zip(self.folders, self.episodes, strict=True):
            for frame in range(episode.stop - episode.start):
                path = folder / camera.removeprefix(CAMERA) / f"{frame}.png"
                if not path.is_file():
                    raise DataError(f"{self.uri}: there is no picture {path}")
                yield np.asarray(Image.open(path).convert("RGB"))


class CsvLoader:
    """Opens such folders."""

    def open(self, uri: str, progress: "Progress | None" = None) -> "RobotDataset":
        """Open the dataset at `uri`.

        Raises:
            DataError: if the folder is not as described, or an option is wrong.
        """
        import numpy as np

        from zk0_core.data import DatasetSchema, Episode

        root, held_out = _parsed(uri)
        robot = tomllib.loads(_read(uri, root / "robot.toml"))
        folders = sorted(path for path in root.iterdir() if path.is_dir())
        episodes, states, actions, heads, start = [], [], [], [], 0
        for index, folder in enumerate(folders):
            head, *rows = csv.reader(_read(uri, folder / "joints.csv").splitlines())
            values = np.array(rows, np.float32)  # (frames, S + A)
            if values.shape != (len(rows), len(head)) or not np.isfinite(values).all():
                raise DataError(
                    f"{uri}: {folder / 'joints.csv'} has gaps; give each row all joints"
                )
            heads.append(head)
            states.append(values[:, [name.startswith("state/") for name in head]])
            actions.append(values[:, [name.startswith("action/") for name in head]])
            episodes.append(
                Episode(
                    index=index,
                    start=start,
                    stop=start + len(rows),
                    task=_read(uri, folder / "task.txt").strip(),
                    hash=hashlib.sha256(values.tobytes()).hexdigest(),
                )
            )
            start += len(rows)
        if not episodes or held_out > len(episodes):
            raise DataError(
                f"{uri} has {len(episodes)} episodes, and {held_out} are to be held out"
            )
        if any(head != heads[0] for head in heads):
            raise DataError(f"{uri}: the episodes' joints.csv have different heads")
        return CsvDataset(
            uri=uri,
            schema=DatasetSchema(
                cameras=_cameras(folders[0]),
                state=_joints(heads[0], "state/"),
                action=_joints(heads[0], "action/"),
                fps=int(robot["fps"]),
                tasks=tuple(dict.fromkeys(episode.task for episode in episodes)),
                robot=str(robot["robot"]),
                format="CSV",
            ),
            fingerprint=_fingerprint(root),
            episodes=episodes,
            held_out=held_out,
            state=np.concatenate(states),
            action=np.concatenate(actions),
            folders=folders,
        )

    def prepare(
        self, uris: Sequence[str], workers: int, progress: "Progress | None" = None
    ) -> None:
        """Do nothing: the folders are there."""


def _parsed(uri: str) -> tuple[Path, int]:
    """Return the folder of an address, and how many episodes are held out."""
    place, _, query = uri.partition(":")[2].partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    text = options.pop("eval_episodes", "0")
    if options or not text.isdecimal():
        raise DataError(f"{uri}: the only option is eval_episodes=K, a whole number")
    return Path(place).expanduser(), int(text)


def _read(uri: str, path: Path) -> str:
    if not path.is_file():
        raise DataError(f"{uri}: there is no {path}; is it a folder of CSV logs?")
    return path.read_text(encoding="utf-8")


def _joints(head: Sequence[str], side: str) -> tuple[str, ...]:
    return tuple(f"{name.removeprefix(side)}.pos" for name in head if name.startswith(side))


def _cameras(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return camera features with height, width and channels, from their first pictures."""
    from PIL import Image

    cameras = {}
    for camera in sorted(path for path in folder.iterdir() if path.is_dir()):
        width, height = Image.open(camera / "0.png").size
        cameras[f"{CAMERA}{camera.name}"] = (height, width, 3)
    return cameras


def _fingerprint(root: Path) -> str:
    """Return a hash over all files, by name: caches of decoded pictures are keyed by it."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(root).as_posix()}\x1f".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
