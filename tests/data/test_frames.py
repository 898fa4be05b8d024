"""Decoded frames on disk: their room is limited, they are made once, and follow their source."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from recordings import TOP, Recording, write_v3, write_video

from zk0_core.cache import cache_folder
from zk0_core.data import RobotDataset
from zk0_core.disk import is_full
from zk0_core.errors import DataError
from zk0_core.lerobot.frames import frame_memmap
from zk0_core.parts import open_dataset

BYTES = 6 * 3 * 48 * 64
"""Of one camera's pictures: 6 frames of 3 x 48 x 64."""


def recording(seed: int) -> Recording:
    return Recording(lengths=(6,), cameras={TOP: (48, 64)}, seed=seed)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("recordings")
    return [write_v3(place / str(seed), recording(seed)) for seed in range(3)]


@pytest.fixture
def datasets(folders: list[Path]) -> list[RobotDataset]:
    return [open_dataset(f"local:{folder}") for folder in folders]


class Told:
    """Counts how often decoding is told of."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, what: str, done: int, total: int) -> None:
        self.times += 1


def is_decoded_again(dataset: RobotDataset) -> bool:
    told = Told()
    frame_memmap(dataset, TOP, progress=told)
    return told.times > 0


def test_what_was_not_used_for_longest_makes_room(
    datasets: list[RobotDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZK0_FRAMES_GB", str(2.5 * BYTES / 1e9))  # room for two of three
    first, second, third = datasets
    frame_memmap(first, TOP)
    held = frame_memmap(second, TOP)
    before = np.array(held)
    assert not is_decoded_again(first)  # so that the second is now the older one
    assert is_decoded_again(third)
    assert not is_decoded_again(first)
    np.testing.assert_array_equal(held, before)  # who has it open keeps it
    assert is_decoded_again(second)


def test_more_than_the_limit_is_refused(
    datasets: list[RobotDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZK0_FRAMES_GB", "0.00005")
    with pytest.raises(DataError) as refused:
        frame_memmap(datasets[0], TOP)
    assert str(refused.value) == (
        f"{datasets[0].uri}: its decoded frames take 5.53e-05 GB and ZK0_FRAMES_GB is 5e-05; "
        "raise it, or choose fewer episodes"
    )


@pytest.mark.parametrize("text", ["much", "0", "-3", "nan", "inf"])
def test_a_limit_that_is_none(
    datasets: list[RobotDataset], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ZK0_FRAMES_GB", text)
    with pytest.raises(DataError, match=r"ZK0_FRAMES_GB must be a number of GB above 0, got "):
        frame_memmap(datasets[0], TOP)


def test_a_full_disk_is_said_before_it_is_full(
    datasets: list[RobotDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_memmap(datasets[0], TOP)
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000_000)
    monkeypatch.setattr("zk0_core.disk.shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError) as refused:
        frame_memmap(datasets[1], TOP)
    assert str(refused.value) == (
        f"{datasets[1].uri}: its decoded frames take 5.53e-05 GB, and 1 GB of disk are free in "
        f"{tmp_path / 'zk0-cache' / 'frames'}, of which 2.15 stay so; free some, or set ZK0_CACHE "
        "to another disk"
    )
    monkeypatch.undo()
    assert [path.name for path in tmp_path.glob("zk0-cache/frames/*.part")] == []


def shelf() -> list[str]:
    """Return what lies where decoded frames do; files that are held open for a lock left out."""
    folder = cache_folder("frames")
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_what_was_removed_in_part_is_removed_whole(
    datasets: list[RobotDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed in the middle leaves a part, of frames that may come again."""
    monkeypatch.setenv("ZK0_FRAMES_GB", str(1.5 * BYTES / 1e9))  # room for one of three
    frame_memmap(datasets[0], TOP)
    (first,) = shelf()
    part = cache_folder("frames", f".{first}.gone")
    part.mkdir()
    (part / "frames.npy").touch()
    frame_memmap(datasets[1], TOP)
    (second,) = shelf()
    assert second != first


def test_room_is_taken_before_it_is_filled(
    datasets: list[RobotDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a map has holes, and a hole without room for it is SIGBUS, not an error."""
    taken = []
    decoding = type(datasets[0]).frames

    def frames(self, camera):
        (file,) = cache_folder("frames").glob(".*.part/frames.npy")
        taken.append(file.stat().st_blocks * 512)
        yield from decoding(self, camera)

    monkeypatch.setattr(type(datasets[0]), "frames", frames)
    frame_memmap(datasets[0], TOP)
    assert taken[0] >= BYTES


def test_frames_that_find_no_room_after_all_leave_nothing(
    datasets: list[RobotDataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left on device: decoded frames of ") as refused:
        frame_memmap(datasets[0], TOP)
    assert is_full(refused.value)
    assert shelf() == []


def test_another_video_gives_other_frames(folders: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders[0], tmp_path / "desk"))
    before = np.array(frame_memmap(open_dataset(f"local:{folder}"), TOP))
    video = folder / "videos" / TOP / "chunk-000" / "file-000.mp4"
    write_video(video, recording(7).pictures(TOP), 10)
    after = frame_memmap(open_dataset(f"local:{folder}"), TOP)
    assert not np.array_equal(before, after)
    assert np.abs(after.astype(int).transpose(0, 2, 3, 1) - recording(7).pictures(TOP)).mean() < 4


def test_what_broke_off_is_made_anew(folders: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders[0], tmp_path / "desk"))
    dataset = open_dataset(f"local:{folder}")
    video = folder / "videos" / TOP / "chunk-000" / "file-000.mp4"
    content = video.read_bytes()
    write_video(video, recording(0).pictures(TOP)[:3], 10)
    with pytest.raises(DataError, match="has 3 pictures, episode 0 needs 6"):
        frame_memmap(dataset, TOP)
    video.write_bytes(content)
    assert frame_memmap(dataset, TOP).shape == (6, 3, 48, 64)


# Opens the dataset argv[1]; whoever decodes waits until both processes have asked for the frames.
ASK = """
import sys, time
from pathlib import Path
from zk0_core.lerobot.datasets import LeRobotRobotDataset
from zk0_core.lerobot.frames import frame_memmap

class Slow(LeRobotRobotDataset):
    def frames(self, camera):
        print("decoded", flush=True)
        deadline = time.monotonic() + 60
        while len(list(asking.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        yield from super().frames(camera)

dataset = Slow("local:desk", Path(sys.argv[1]))
asking = Path(sys.argv[2])
(asking / sys.argv[3]).touch()
print(int(frame_memmap(dataset, sys.argv[4]).sum()))
"""


def test_two_processes_that_ask_at_once_decode_once(folders: list[Path], tmp_path: Path) -> None:
    asking = tmp_path / "asking"
    asking.mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, folders[0], asking, name, TOP],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    said = [process.communicate()[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(map(len, said)) == [1, 2]  # one of them decoded
    assert said[0][-1] == said[1][-1]
