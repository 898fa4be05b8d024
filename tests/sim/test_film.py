"""Films of rollouts: what is drawn lies where the arm is."""

import json
from pathlib import Path

import numpy as np

from zk0_core.sim.arm import SimulatedArm
from zk0_core.sim.film import HEIGHT, HOLD, Film


def test_a_point_of_the_world_is_where_the_camera_sees_it() -> None:
    """The cube is the one red thing: its centre's place in the picture is red."""
    arm = SimulatedArm()
    for seed in (1, 2):
        arm.reset(seed)
        picture = arm.picture("top", 96)
        right, down = arm.place_of(arm.cube, "top", 96) or (0.0, 0.0)
        red, green, _ = picture[int(down), int(right)].astype(int)
        assert red > 100 > green


def test_a_point_behind_the_camera_has_no_place() -> None:
    arm = SimulatedArm()
    arm.reset(1)
    above = arm.data.cam_xpos[arm.model.camera("top").id] + (0, 0, 5.0)
    assert arm.place_of(above, "top", 96) is None


def test_targets_lead_to_where_the_arm_gets_to() -> None:
    """Held long enough, targets are reached within the 15 mm that gravity leaves."""
    arm = SimulatedArm()
    arm.reset(3)
    target = arm.joints() + np.array([12, 5, -5, 0, 0, 0], np.float32)
    aim, before = arm.reach(target), arm.joints()
    assert (arm.joints() == before).all()
    start = np.linalg.norm(aim - arm.grasp_point)
    for _ in range(20):
        arm.step(target)
    assert np.linalg.norm(aim - arm.grasp_point) < 0.015 < 0.03 < start


def test_a_film_has_every_step_and_then_the_outcome(tmp_path: Path) -> None:
    import av

    arm = SimulatedArm()
    arm.reset(1)
    film = Film(tmp_path / "start_0.mp4")
    chunk = arm.joints() + np.outer(np.arange(1, 4), [6, 3, 0, 0, 0, 0])
    film.plan(arm, chunk)
    for action in chunk:
        arm.step(action)
        film.take(arm, action)
    film.finish(False, {"success": False, "seconds": 0.3})
    with av.open(str(tmp_path / "start_0.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 3 + HOLD
    assert pictures[0].shape == (HEIGHT + 84, 2 * HEIGHT, 3)
    # What is planned is drawn in orange, which nothing else in the scene is.
    colours = pictures[0][:HEIGHT, :HEIGHT].reshape(-1, 3).astype(int)
    assert (np.abs(colours - (230, 159, 0)).max(axis=1) < 30).sum() > 20
    # Red all around at the end: it failed.
    assert np.abs(pictures[-1][2, 300].astype(int) - (210, 50, 40)).max() < 20
    facts = json.loads((tmp_path / "start_0.json").read_text())
    assert facts == {"success": False, "seconds": 0.3}
