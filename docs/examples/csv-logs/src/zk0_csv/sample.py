"""A small recording in the format, to try the loader on."""

import csv
import math
from pathlib import Path

JOINTS = ("pan", "lift", "gripper")
FRAMES = (6, 4)
"""Frames of the two episodes."""
SIZE = (16, 12)
"""Width and height in pixels."""


def write_sample(root: Path, reach: float = 30) -> Path:
    """Write two episodes of one camera below `root`, of joints that swing by `reach` degrees."""
    from PIL import Image

    root.mkdir(parents=True)
    (root / "robot.toml").write_text('fps = 10\nrobot = "so101_follower"\n', encoding="utf-8")
    for episode, frames in enumerate(FRAMES):
        folder = root / f"episode-{episode}"
        (folder / "top").mkdir(parents=True)
        (folder / "task.txt").write_text("Pick up the cube\n", encoding="utf-8")
        with (folder / "joints.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow([f"{side}/{joint}" for side in ("state", "action") for joint in JOINTS])
            for frame in range(frames):
                angles = [
                    round(reach * math.sin(episode + joint + time / 3), 3)
                    for time in (frame, frame + 1)
                    for joint in range(len(JOINTS))
                ]
                rows.writerow(angles)
                picture = Image.new("RGB", SIZE, (20 * frame, 100 * episode, 50))
                picture.save(folder / "top" / f"{frame}.png")
    return root
