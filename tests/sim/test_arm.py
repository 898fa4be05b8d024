import mujoco
import numpy as np
import pytest

from zk0_core.errors import Zk0Error
from zk0_core.sim.arm import SimulatedArm
from zk0_core.sim.render import RayCamera, Scene
from zk0_core.sim.spec import REGIONS


@pytest.fixture
def arm() -> SimulatedArm:
    arm = SimulatedArm()
    arm.reset(seed=1, region="left")
    return arm


def test_the_cube_lies_where_the_seed_says_and_inside_the_region(arm: SimulatedArm) -> None:
    (x0, y0), (x1, y1) = REGIONS["left"]
    first = arm.cube
    assert x0 <= first[0] <= x1 and y0 <= first[1] <= y1
    arm.reset(seed=2, region="left")
    assert not np.array_equal(arm.cube, first)
    arm.reset(seed=1, region="left")
    assert np.array_equal(arm.cube, first)


def test_the_arm_starts_at_home_in_degrees(arm: SimulatedArm) -> None:
    joints = arm.joints()
    assert joints.dtype == np.float32
    # 0, -0.6, 0.6, 0.9, 0 rad; the arm sags by a little under its own weight.
    np.testing.assert_allclose(joints[:5], [0, -34.4, 34.4, 51.6, 0], atol=1.5)
    assert 55 < joints[5] < 65


def test_the_arm_goes_where_it_is_told(arm: SimulatedArm) -> None:
    target = np.array([20, -30, 40, 50, 10, 30], np.float32)
    for _ in range(20):
        arm.step(target)
    np.testing.assert_allclose(arm.joints(), target, atol=3)


def test_units_there_and_back(arm: SimulatedArm) -> None:
    action = np.array([20, -30, 40, 50, 10, 30], np.float32)
    np.testing.assert_allclose(arm.to_degrees(arm.to_radians(action)), action, rtol=1e-5)


def test_an_episode_ends_after_its_steps(arm: SimulatedArm) -> None:
    still = arm.joints()
    for _ in range(80):
        assert not arm.finished
        arm.step(still)
    assert arm.finished and not arm.success


@pytest.mark.parametrize("action", [np.zeros(5), np.array([0, 0, 0, 0, 0, np.nan])])
def test_an_action_that_is_none_is_refused(arm: SimulatedArm, action: np.ndarray) -> None:
    with pytest.raises(Zk0Error, match="simulated arm: an action is 6 finite numbers, the policy"):
        arm.step(action)


def test_pictures_are_the_same_for_the_same_state(arm: SimulatedArm) -> None:
    poses = arm.poses()
    before = {camera: arm.picture(camera) for camera in ("top", "wrist")}
    arm.step(arm.joints() + 5)
    for camera, picture in before.items():
        assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8
        assert not np.array_equal(arm.picture(camera), picture)
        np.testing.assert_array_equal(arm.picture_of(poses, camera), picture)
    other = SimulatedArm()
    other.reset(seed=1, region="left")
    np.testing.assert_array_equal(other.picture("top"), before["top"])


def test_the_top_camera_sees_the_red_cube(arm: SimulatedArm) -> None:
    red, green, blue = arm.picture("top").astype(int).transpose(2, 0, 1)
    cube = (red > 100) & (green < 60) & (blue < 60)
    assert 20 < cube.sum() < 400


@pytest.mark.parametrize("camera", ["top", "wrist", "front"])
def test_rays_meet_what_mujoco_says_they_meet(arm: SimulatedArm, camera: str) -> None:
    size = 16
    view = RayCamera(Scene(arm.model), camera, size)
    depth = view.depth(arm.poses())
    groups = np.array([1, 1, 1, 0, 0, 0], np.uint8)
    number = arm.model.camera(camera).id
    origin = arm.data.cam_xpos[number].copy()
    rotation = arm.data.cam_xmat[number].reshape(3, 3)
    half = np.tan(np.deg2rad(arm.model.cam_fovy[number]) / 2)
    for row in range(size):
        for column in range(size):
            x = ((column + 0.5) / size * 2 - 1) * half
            y = -((row + 0.5) / size * 2 - 1) * half
            ray = rotation @ [x, y, -1]
            meets = np.zeros(1, np.int32)
            # In lengths of the ray, which is one unit deep.
            expected = mujoco.mj_ray(arm.model, arm.data, origin, ray, groups, 1, -1, meets)
            if expected < 0 or expected * np.linalg.norm(ray) > 5:
                expected = np.inf
            assert depth[row, column] == pytest.approx(expected, rel=1e-6)
