"""Every task: what is done and what is not, and that its expert does it."""

import mujoco
import numpy as np
import pytest

from zk0_core.sim.arm import SimulatedArm, draw_colours
from zk0_core.sim.expert import Expert
from zk0_core.sim.setup import COLOURS, Setup
from zk0_core.sim.spec import EVALUATION_STARTS, REGIONS
from zk0_core.sim.tasks import TASKS

ARMS = {name: SimulatedArm(Setup(task=name)) for name in TASKS}


def put(arm: SimulatedArm, *places: tuple[float, float, float]) -> None:
    """Put the cubes at `places`, all else as at the start."""
    arm.reset(0)
    for address, place in zip(arm.cube_addresses, places, strict=True):
        arm.data.qpos[address : address + 3] = place
    mujoco.mj_forward(arm.model, arm.data)


@pytest.mark.parametrize(
    ("task", "regions"),
    [
        ("lift", ("right", "mid-right", "mid-left", "left")),
        ("place", ("mid-right", "left")),
        ("push", ("right", "left")),
        ("sort", ("right", "mid-left")),
    ],
)
def test_the_expert_succeeds(task: str, regions: tuple[str, ...]) -> None:
    arm = ARMS[task]
    for start, region in enumerate(regions):
        arm.reset(EVALUATION_STARTS[start], region)
        expert = Expert(arm)
        while not arm.finished:
            arm.step(expert.action())
        assert arm.success and arm.steps < 0.6 * arm.task.max_steps, (region, expert.stage)


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_done_at_the_start(task: str) -> None:
    arm = ARMS[task]
    for region in REGIONS:
        arm.reset(1, region)
        assert not arm.task.done(arm)


def test_lifted_is_up_and_between_the_fingertips() -> None:
    """The cube lies 2 cm high; 4 cm higher is lifted."""
    arm = ARMS["lift"]
    x, y, z = arm.grasp_point
    put(arm, (x, y, 0.065))
    near = abs(z - 0.065) < 0.04
    assert arm.task.done(arm) == near
    put(arm, (x, y, 0.055))
    assert not arm.task.done(arm)
    put(arm, (x, y + 0.1, z))
    assert not arm.task.done(arm)


@pytest.mark.parametrize(
    ("place", "done"),
    [
        # The bin's middle is at (0.18, 0.175), its walls 4 cm from there.
        ((0.18, 0.175, 0.022), True),
        ((0.215, 0.14, 0.022), True),
        ((0.225, 0.175, 0.022), False),
        ((0.18, 0.13, 0.022), False),
        # Over the bin, not in it.
        ((0.18, 0.175, 0.06), False),
    ],
)
def test_placed_is_in_the_bin(place: tuple[float, float, float], done: bool) -> None:
    put(ARMS["place"], place)
    assert ARMS["place"].task.done(ARMS["place"]) == done


def test_placed_is_let_go() -> None:
    arm = ARMS["place"]
    arm.reset(0)
    expert = Expert(arm)
    while expert.stage != "release":
        arm.step(expert.action())
    assert arm.grasped and not arm.task.done(arm)


@pytest.mark.parametrize(
    ("place", "done"),
    [
        # The line is at x = 0.31.
        ((0.311, 0.0, 0.02), True),
        ((0.309, 0.0, 0.02), False),
        # Carried over it, 1.1 cm high.
        ((0.33, 0.0, 0.031), False),
    ],
)
def test_pushed_is_over_the_line(place: tuple[float, float, float], done: bool) -> None:
    put(ARMS["push"], place)
    assert ARMS["push"].task.done(ARMS["push"]) == done


IN, OUT = (0.18, 0.175, 0.022), (0.25, 0.0, 0.02)


@pytest.mark.parametrize(
    ("named", "other", "done"), [(IN, OUT, True), (OUT, IN, False), (OUT, OUT, False)]
)
def test_sorted_is_the_named_cube_alone(
    named: tuple[float, float, float], other: tuple[float, float, float], done: bool
) -> None:
    put(ARMS["sort"], named, other)
    assert ARMS["sort"].task.done(ARMS["sort"]) == done
    put(ARMS["sort"], IN, (0.19, 0.18, 0.03 - 1e-6))
    assert not ARMS["sort"].task.done(ARMS["sort"])


def test_only_the_words_say_which_cube_it_is() -> None:
    arm, places = ARMS["sort"], np.array([[0.18, 0.0], [0.27, 0.03]])
    arm.place(places, ["red", "blue"])
    before = arm.picture("top")
    assert arm.instruction == "Put the red cube into the bin"
    np.testing.assert_allclose(Expert(arm)._stages[0].target(arm)[:2], places[0], atol=1e-6)
    arm.place(places[::-1], ["blue", "red"])
    assert arm.instruction == "Put the blue cube into the bin"
    np.testing.assert_allclose(Expert(arm)._stages[0].target(arm)[:2], places[1], atol=1e-6)
    np.testing.assert_array_equal(arm.picture("top"), before)


def test_place_and_push_differ_in_words_alone() -> None:
    pictures = []
    for task in ("place", "push"):
        ARMS[task].reset(3)
        pictures.append(ARMS[task].picture("top"))
    np.testing.assert_array_equal(*pictures)
    assert ARMS["place"].instruction == "Put the red cube into the bin"
    assert ARMS["push"].instruction == "Push the red cube over the line"


def test_one_in_four_scenes_names_each_colour() -> None:
    """Of 200 draws about 50 name each of four colours; the other cube is of another colour."""
    arm = ARMS["sort"]
    named = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        arm.task.arrange(random, *REGIONS["all"])
        first, second = draw_colours(random, "any", 2)
        assert first != second
        named.append(first)
    counts = [named.count(colour) for colour in COLOURS]
    assert min(counts) > 30 and sum(counts) == 200


def test_two_cubes_leave_room_for_the_jaws() -> None:
    for seed in range(100):
        random = np.random.default_rng(seed)
        named, other = ARMS["sort"].task.arrange(random, *REGIONS["left"])
        assert abs(named[0] - other[0]) >= 0.05
        assert 0.05 <= min(named[1], other[1]) <= max(named[1], other[1]) <= 0.10


def test_an_expert_that_loses_the_cube_starts_over() -> None:
    arm = ARMS["place"]
    arm.reset(EVALUATION_STARTS[3])
    expert = Expert(arm)
    while expert.stage != "carry":
        arm.step(expert.action())
    # Back on the table, as if it had slipped.
    address = arm.cube_addresses[0]
    arm.data.qpos[address : address + 3] = (0.22, -0.05, 0.02)
    arm.data.qvel[:] = 0
    arm.step(expert.action())
    expert.action()
    assert expert.stage == "hover"
    while not arm.finished:
        arm.step(expert.action())
    assert arm.success
