"""Colours, camera and light: what differs between one client's desk and another's."""

import attrs
import numpy as np
import pytest

from zk0_core.sim.arm import SimulatedArm
from zk0_core.sim.setup import LIFT, Setup


def top(setup: Setup) -> np.ndarray:
    """Return what the top camera sees at one start, (96, 96, 3) int."""
    arm = SimulatedArm(setup)
    arm.reset(1, "left")
    return arm.picture("top").astype(int)


def test_every_task_has_its_usual_colour() -> None:
    assert [Setup(task=task).colour for task in ("lift", "place", "push", "sort")] == [
        *("red", "red", "red", "any")
    ]
    assert Setup() == LIFT


@pytest.mark.parametrize(
    ("colour", "strong", "weak"), [("green", 1, (0, 2)), ("blue", 2, (0, 1)), ("yellow", 0, (2,))]
)
def test_the_cube_has_the_colour_that_the_instruction_names(
    colour: str, strong: int, weak: tuple[int, ...]
) -> None:
    arm = SimulatedArm(Setup(colour=colour))
    arm.reset(1, "left")
    assert arm.instruction == f"Pick up the {colour} cube"
    changed = (arm.picture("top") != top(LIFT)).any(axis=2)
    # As many pixels as the red cube has, and all of them of the other colour.
    assert 20 < changed.sum() < 400
    cube = arm.picture("top")[changed].astype(int)
    assert all((cube[:, strong] > cube[:, channel]).all() for channel in weak)


def test_a_colour_that_is_drawn_leaves_the_cube_where_it_is() -> None:
    usual, drawn = SimulatedArm(LIFT), SimulatedArm(Setup(colour="any"))
    colours = set()
    for seed in range(20):
        usual.reset(seed)
        drawn.reset(seed)
        np.testing.assert_array_equal(drawn.cube, usual.cube)
        colours.add(drawn.colour)
    assert colours == {"red", "green", "blue", "yellow"}


def test_a_camera_that_stands_elsewhere_sees_things_elsewhere() -> None:
    """From higher up the cube is smaller; from further left it is further to the right."""
    cubes = {}
    for name, setup in {
        "usual": LIFT,
        "higher": Setup(camera_z=3),
        "left": Setup(camera_y=3),
    }.items():
        red, green, blue = top(setup).transpose(2, 0, 1)
        cubes[name] = np.argwhere((red > 100) & (green < 60) & (blue < 60))
    assert len(cubes["higher"]) < len(cubes["usual"])
    # Towards the arm the camera's right is the table's left, so things move to its left.
    assert cubes["left"][:, 1].mean() < cubes["usual"][:, 1].mean() - 3


def test_only_the_top_camera_is_moved() -> None:
    usual, moved = SimulatedArm(LIFT), SimulatedArm(Setup(camera_x=3, camera_y=-3))
    for arm in (usual, moved):
        arm.reset(1)
    np.testing.assert_array_equal(usual.picture("wrist"), moved.picture("wrist"))
    np.testing.assert_array_equal(usual.picture("front"), moved.picture("front"))


def test_half_the_light_is_half_as_bright() -> None:
    """Every pixel is a colour times a brightness, rounded down."""
    usual, dim = top(LIFT), top(Setup(light=50))
    seen = usual < 250  # what is not as bright as can be
    assert np.abs(usual / 2 - dim)[seen].max() <= 1


def test_light_from_elsewhere_shades_other_sides() -> None:
    usual, turned = top(LIFT), top(Setup(light_turn=180))
    assert np.abs(usual - turned).max() > 20
    # The floor lies under it all the same.
    assert (usual == turned).all(axis=2).mean() > 0.5


def test_an_arm_with_another_setup_moves_alike() -> None:
    setup = attrs.evolve(LIFT, colour="blue", light=60, camera_x=2)
    usual, other = SimulatedArm(LIFT), SimulatedArm(setup)
    for arm in (usual, other):
        arm.reset(5)
        for _ in range(3):
            arm.step(arm.joints() + 2)
    np.testing.assert_array_equal(usual.joints(), other.joints())
