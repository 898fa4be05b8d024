"""A small LeRobot dataset, made with LeRobot itself, and the tiny policy on it."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

JOINTS = [f"{name}.pos" for name in ("pan", "lift", "elbow", "flex", "roll", "gripper")]
CAMERAS = ("observation.images.top", "observation.images.wrist")
# Two sentences of different lengths, so that one of them is padded.
TASKS = ("Pick up the red cube", "Pick up the red cube and put it into the blue box")
LENGTHS = (12, 9, 20)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep what is cached away from the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZK0_CACHE", str(tmp_path_factory.mktemp("zk0-cache")))
        yield


def record(folder: Path, *, height: int = 96, width: int = 96) -> None:
    """Write three episodes of smooth pictures and random joints."""
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    picture = {
        "dtype": "video",
        "shape": (height, width, 3),
        "names": ["height", "width", "channels"],
    }
    joints = {"dtype": "float32", "shape": (6,), "names": JOINTS}
    dataset = LeRobotDataset.create(
        repo_id="local/test",
        fps=10,
        features={
            "observation.state": joints,
            "action": joints,
            **{camera: picture for camera in CAMERAS},
        },
        root=folder,
        robot_type="so101_follower",
        rgb_encoder=RGBEncoderConfig(vcodec="h264", g=2, crf=23),
    )
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    for episode, length in enumerate(LENGTHS):
        for step in range(length):
            shade = (x * (episode + 1) + y * 2 + 9 * step) % 256
            view = np.stack([shade, 255 - shade, np.full_like(shade, 40 * episode)], -1)
            dataset.add_frame(
                {
                    "observation.state": random.normal(size=6).astype(np.float32) * 30,
                    "action": random.normal(size=6).astype(np.float32) * 30,
                    CAMERAS[0]: view.astype(np.uint8),
                    CAMERAS[1]: view[::-1].astype(np.uint8),
                    "task": TASKS[episode % 2],
                }
            )
        dataset.save_episode()
    dataset.finalize()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 41 frames in three episodes, two cameras of 96 x 96."""
    path = tmp_path_factory.mktemp("data") / "desk"
    record(path)
    return path


@pytest.fixture(scope="session")
def dataset(folder: Path):
    from zk0_core.builtin.loader_local import LocalLoader

    return LocalLoader().open(f"local:{folder}")


@pytest.fixture(scope="session")
def statistics(dataset):
    from zk0_core.lerobot.stats import episode_sums

    return episode_sums(dataset, dataset.episodes)


@pytest.fixture(scope="session")
def policy(dataset, statistics):
    from zk0_core.lerobot.families import TinySmolVLAFamily

    family = TinySmolVLAFamily(noise_scale=1.0)
    return family.load(dataset.schema, statistics, seed=3, device="cpu")


@pytest.fixture(scope="session")
def views(dataset) -> dict[str, np.ndarray]:
    """The first picture of each camera, for two robots: (2, 96, 96, 3) uint8."""
    return {camera: np.stack([next(dataset.frames(camera))] * 2) for camera in CAMERAS}
