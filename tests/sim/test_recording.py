from pathlib import Path

import mujoco
import numpy as np
import pytest

from zk0_core.sim.arm import SimulatedArm
from zk0_core.sim.demonstration import Demonstration, demonstrate
from zk0_core.sim.expert import Expert
from zk0_core.sim.kinematics import InverseKinematics
from zk0_core.sim.record import record, recorded
from zk0_core.sim.spec import SimSpec

SPEC = SimSpec(region="mid-left", episodes=2)


def _first_success() -> Demonstration:
    """Return the first demonstration that a recording of SPEC has."""
    attempts = (demonstrate(SPEC.setup, SPEC.region, seed) for seed in SPEC.scene_seeds)
    return next(attempt for attempt in attempts if attempt is not None)


def test_the_inverse_kinematics_put_the_grasp_point_there_pointing_down() -> None:
    arm = SimulatedArm()
    arm.reset(seed=1)
    target = np.array([0.22, 0.03, 0.06])
    for _ in range(20):
        arm.data.qpos[arm.joint_addresses[:5]] = InverseKinematics(arm).solve(target)
        mujoco.mj_forward(arm.model, arm.data)
    np.testing.assert_allclose(arm.grasp_point, target, atol=2e-3)
    approach = arm.data.site_xmat[arm.gripper_site].reshape(3, 3)[:, 0]
    np.testing.assert_allclose(approach, [0, 0, -1], atol=0.05)


def test_the_expert_does_what_the_controller_it_follows_does() -> None:
    from lerobot_env_so101.ik_control import roll_to_align_axis, solve_ik
    from lerobot_env_so101.scripted import PickPlaceController

    arm = SimulatedArm()
    arm.reset(seed=5)
    expert, controller = Expert(arm), PickPlaceController()
    target = arm.grasp_point
    names = ("HOVER", "DESCEND", "CLOSE", "LIFT")
    moved, steps = True, 0
    while not arm.finished:
        move = controller.act(arm.grasp_point, arm.cube, arm.cube).astype(float)
        if controller.phase.name not in names:
            move = np.array([0, 0, 0.3, 0])
        if move[:3].any():
            target = target + 0.025 * move[:3]
        elif moved:
            target = arm.grasp_point
        moved = bool(move[:3].any())
        seed = arm.data.qpos[:5].copy()
        roll = arm.model.joint("wrist_roll").id
        seed[4] += roll_to_align_axis(
            arm.data, arm.gripper_site, roll, 2, np.array([0.0, 1.0, 0.0])
        )
        seed[4] = np.clip(seed[4], *arm.model.jnt_range[roll])
        ours = expert.action()
        angles = solve_ik(
            arm.model,
            arm.data,
            arm.gripper_site,
            np.arange(5),
            target,
            seed_q=seed,
            point_offset=arm.grasp_offset,
            approach_axis=0,
        )
        np.testing.assert_allclose(ours[:5], np.rad2deg(angles), atol=1e-2)
        assert ours[5] == 100 * move[3]
        arm.step(ours)
        steps += 1
    assert arm.success and steps > 20


def test_a_demonstration_is_clean_while_the_arm_is_disturbed() -> None:
    first, again = _first_success(), _first_success()
    np.testing.assert_array_equal(first.states, again.states)
    np.testing.assert_array_equal(first.actions, again.actions)
    np.testing.assert_array_equal(first.pictures["wrist"], again.pictures["wrist"])
    # The gripper is never disturbed, and its commands are fully open or fully closed.
    assert set(np.unique(first.actions[:, 5])) == {0.0, 100.0}


def _columns(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    import pandas

    rows = pandas.concat(
        pandas.read_parquet(file) for file in sorted(folder.glob("data/**/*.parquet"))
    )
    return np.stack(rows["observation.state"]), np.stack(rows["action"])


def test_the_same_recording_with_any_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    alone = record(SPEC, tmp_path / "alone")
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "cache"))
    seen: list[tuple[str, int, int]] = []
    both = recorded(
        [SPEC, SPEC, SimSpec(region="left", episodes=1)],
        workers=2,
        progress=lambda what, done, total: seen.append((what, done, total)),
    )
    assert both[0] == both[1] != both[2]
    assert seen == [("recording demonstrations", done, 3) for done in (1, 2, 3)]
    for mine, theirs in zip(_columns(alone), _columns(both[0]), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for video in alone.glob("videos/**/*.mp4"):
        content = video.read_bytes()
        assert content == (both[0] / video.relative_to(alone)).read_bytes()
        # x264 writes its options into what it encodes.
        assert b"mbtree=0" in content
    # The second time nothing is recorded.
    seen.clear()
    assert recorded([SPEC], workers=2, progress=lambda *args: seen.append(args)) == both[:1]
    assert seen == []

    dataset = LeRobotDataset("zk0/sim", root=alone, video_backend="pyav")
    assert dataset.meta.total_episodes == 2
    assert dataset.meta.robot_type == "so101_follower"
    assert dataset.meta.fps == 10
    frame = dataset[0]
    assert frame["task"] == "Pick up the red cube"
    assert frame["action"].shape == (6,)
    demonstration = _first_success()
    for camera in ("top", "wrist"):
        picture = frame[f"observation.images.{camera}"].permute(1, 2, 0).numpy() * 255
        assert np.abs(picture - demonstration.pictures[camera][0]).mean() < 6


def test_every_episode_has_its_own_instruction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zk0_core.parts import open_dataset

    monkeypatch.setenv("ZK0_CACHE", str(tmp_path))
    # The first two of these scenes draw different colours.
    dataset = open_dataset("sim:push?region=left&episodes=2&seed=1&colour=any&light=70&camera_x=-2")
    assert [episode.task for episode in dataset.episodes] == [
        "Push the blue cube over the line",
        "Push the yellow cube over the line",
    ]
    (folder,) = tmp_path.glob("sim/recordings-v2/push*/")
    assert folder.name == "push-left-train-2-seed1-colour=any-camera_x=-2-light=70"
