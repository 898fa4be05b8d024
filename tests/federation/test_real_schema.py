"""Two recordings as real SO-101 arms leave them, trained together by the command.

The second arm's owner calls one camera and one joint otherwise.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.long

JOINTS = [
    f"{name}.pos"
    for name in (
        "shoulder_pan",
        "shoulder_lift",
        "elbow_flex",
        "wrist_flex",
        "wrist_roll",
        "gripper",
    )
]
CAMERAS = ("observation.images.front", "observation.images.top")
OTHERS = {"observation.images.side": CAMERAS[1], "jaw.pos": JOINTS[-1]}
"""What the second arm's owner calls otherwise, and its name with the first."""
EPISODES, FRAMES, FPS = 3, 8, 30
TASK = "Put the cube into the box"


def record(folder: Path, seed: int, others: dict[str, str]) -> None:
    """Write three short episodes of 480 x 640 pictures and joints in degrees.

    `others` are features by another name, and what they are called here.
    """
    from lerobot.configs.video import RGBEncoderConfig
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    picture = {"dtype": "video", "shape": (480, 640, 3), "names": ["height", "width", "channels"]}
    own = {here: other for other, here in others.items()}
    front, top = (own.get(camera, camera) for camera in CAMERAS)
    names = [own.get(joint, joint) for joint in JOINTS]
    joints = {"dtype": "float32", "shape": (6,), "names": names}
    dataset = LeRobotDataset.create(
        repo_id="local/desk",
        fps=FPS,
        features={
            "observation.state": joints,
            "action": joints,
            front: picture,
            top: picture,
        },
        root=folder,
        robot_type="so101_follower",
        rgb_encoder=RGBEncoderConfig(vcodec="h264", g=2, crf=30),
    )
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:480, 0:640]
    for _ in range(EPISODES):
        home, swing = random.uniform(-60, 60, 6), random.uniform(5, 40, 6)
        for step in range(FRAMES):
            pose = (home + swing * math.sin(step / FPS)).astype(np.float32)
            shade = ((x // 4 + y // 4 + 3 * step + 50 * seed) % 256).astype(np.uint8)
            view = np.stack([shade, 255 - shade, np.full_like(shade, 40 * seed)], -1)
            frame = {"observation.state": pose, "action": pose + 1, "task": TASK}
            dataset.add_frame({**frame, front: view, top: view[::-1]})
        dataset.save_episode()
    dataset.finalize()


def as_published(policy: Path) -> None:
    """Give the language model the type of SmolVLA's: LeRobot takes it for the expert as well."""
    file = policy / "vlm" / "config.json"
    config = json.loads(file.read_text())
    config["text_config"]["dtype"] = "bfloat16"
    file.write_text(json.dumps(config))


RUN_FILE = """
rounds = 2
local_steps = 3
batch_size = 4
workers = 1

[policy]
name = "lerobot"
path = "{folder}/policy"

[[clients]]
dataset = "local:{folder}/left-desk?eval_episodes=1"

[[clients]]
dataset = "local:{folder}/right-desk?eval_episodes=1"
rename = {rename}

[[evaluations]]
dataset = "local:{folder}/left-desk?eval_episodes=1"
evaluator = "policy-loss"

[[evaluations]]
dataset = "local:{folder}/left-desk?eval_episodes=1 + local:{folder}/right-desk?eval_episodes=1"
evaluator = "policy-loss"
rename = {rename}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both recordings, the policy, and what a run of them left in `output`."""
    from zk0_core.lerobot.families import TinySmolVLAFamily
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.parts import open_dataset

    folder = tmp_path_factory.mktemp("desks")
    record(folder / "left-desk", 0, {})
    record(folder / "right-desk", 1, OTHERS)
    dataset = open_dataset(f"local:{folder}/left-desk")
    sums = episode_sums(dataset, dataset.episodes)
    TinySmolVLAFamily().load(dataset.schema, sums, seed=0, device="cpu").save(folder / "policy")
    as_published(folder / "policy")
    rename = "{ " + ", ".join(f'"{old}" = "{new}"' for old, new in OTHERS.items()) + " }"
    (folder / "desks.toml").write_text(RUN_FILE.format(folder=folder, rename=rename))
    command = [Path(sys.executable).parent / "zk0", "run", "desks.toml", "--output", "output"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "ZK0_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_both_train_and_are_scored_on_what_they_held_out(trained: Path) -> None:
    lines = (trained / "output" / "history.jsonl").read_text().splitlines()
    rounds = [json.loads(line) for line in lines]
    assert [entry["round"] for entry in rounds] == [0, 1, 2]
    for entry in rounds:
        assert math.isfinite(entry["policy_loss"])
        assert [d["episodes"] for d in entry["datasets"]] == [1, 2]
        assert [d["frames"] for d in entry["datasets"]] == [FRAMES, 2 * FRAMES]
    for entry in rounds[1:]:
        assert [client["client"] for client in entry["clients"]] == ["left-desk", "right-desk"]
        assert [client["examples"] for client in entry["clients"]] == [(EPISODES - 1) * FRAMES] * 2
        assert all(math.isfinite(client["loss"]) for client in entry["clients"])
        assert entry["refused"] == []
    assert len({entry["params_hash"] for entry in rounds}) == 3


def test_frozen_prefixes_are_computed_once_a_recording(trained: Path) -> None:
    # Clients and evaluations share them, also the evaluation of both recordings joined.
    assert len(list((trained / "cache" / "prefix").glob("*/values.npy"))) == 2
    logs = "".join(path.read_text() for path in (trained / "output" / "logs").glob("*.log"))
    assert "training from pictures" not in logs


def test_stock_lerobot_opens_the_final_model(trained: Path) -> None:
    import torch
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    folder = trained / "output" / "models" / "final"
    policy = SmolVLAPolicy.from_pretrained(folder)
    before = SmolVLAPolicy.from_pretrained(trained / "policy").state_dict()
    changed = {n for n, value in policy.state_dict().items() if not torch.equal(value, before[n])}
    assert "model.action_out_proj.weight" in changed
    assert not any("vlm_with_expert.vlm." in name for name in changed)
    pre, post = make_pre_post_processors(policy.config, pretrained_path=str(folder))
    batch = {camera: torch.zeros(1, 3, 480, 640) for camera in CAMERAS}
    batch |= {"observation.state": torch.zeros(1, 6), "task": [TASK]}
    action = post(policy.select_action(pre(batch)))
    assert action.shape == (1, 6)
    assert bool(torch.isfinite(action).all())
