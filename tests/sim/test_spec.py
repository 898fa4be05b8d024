import itertools
import subprocess
import sys

import pytest

from zk0_core.errors import DataError
from zk0_core.sim.spec import (
    BASE_SCENES,
    EVALUATION_STARTS,
    MAX_SEED,
    REGIONS,
    SPLITS,
    SimSpec,
    demonstration_seeds,
    region_of,
)
from zk0_core.sim.tasks import TASKS


@pytest.mark.parametrize(
    ("uri", "spec"),
    [
        ("sim:lift", SimSpec()),
        ("sim:lift?region=left&episodes=7", SimSpec(region="left", episodes=7)),
        (
            "sim:lift?seed=3&split=eval&region=mid-right",
            SimSpec(region="mid-right", split="eval", seed=3),
        ),
        ("sim:sort", SimSpec(task="sort", colour="any")),
        (
            "sim:place?colour=blue&camera_x=-3&camera_y=2&camera_z=1&light=60&light_turn=-90",
            SimSpec(
                task="place",
                colour="blue",
                camera_x=-3,
                camera_y=2,
                camera_z=1,
                light=60,
                light_turn=-90,
            ),
        ),
    ],
)
def test_an_address_says_what_to_record(uri: str, spec: SimSpec) -> None:
    assert SimSpec.parse(uri) == spec


@pytest.mark.parametrize(
    ("spec", "uri"),
    [
        (SimSpec(), "sim:lift?region=all&episodes=50"),
        (
            SimSpec(region="left", split="eval", episodes=8, seed=2),
            "sim:lift?region=left&episodes=8&split=eval&seed=2",
        ),
        (SimSpec(colour="red", light=100), "sim:lift?region=all&episodes=50"),
        (
            SimSpec(task="sort", seed=1, colour="red", light=60, light_turn=-90),
            "sim:sort?region=all&episodes=50&seed=1&colour=red&light=60&light_turn=-90",
        ),
    ],
)
def test_the_address_of_a_spec_is_always_written_the_same_way(spec: SimSpec, uri: str) -> None:
    assert spec.uri == uri
    assert SimSpec.parse(uri) == spec


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (
            "hf:a/b?eval_episodes=5",
            "dataset 'hf:a/b?eval_episodes=5' is not one of the simulated arm; write it like "
            "sim:lift?region=left&episodes=50",
        ),
        (
            "sim:lif",
            "dataset 'sim:lif': unknown task 'lif'; choose from lift, place, push, sort; did you "
            "mean 'lift'?",
        ),
        (
            "sim:lift?region=lefd",
            "dataset 'sim:lift?region=lefd': unknown region 'lefd'; choose from right, mid-right, "
            "mid-left, left, all; did you mean 'left'?",
        ),
        (
            "sim:lift?episode=5",
            "dataset 'sim:lift?episode=5' has an unknown option 'episode'; choose from region, "
            "episodes, split, seed, colour, camera_x, camera_y, camera_z, light, light_turn, "
            "eval_episodes, partition, fps, rename; did you mean 'episodes'?",
        ),
        (
            "sim:lift?split=test",
            "dataset 'sim:lift?split=test': unknown split 'test'; choose from train, eval",
        ),
        (
            "sim:lift?split=eval&eval_episodes=2",
            "dataset 'sim:lift?split=eval&eval_episodes=2': split=eval holds out every episode; "
            "leave eval_episodes out",
        ),
        (
            "sim:lift?episodes=x",
            "dataset 'sim:lift?episodes=x': episodes=x is not a whole number; write episodes=10",
        ),
        (
            "sim:lift?episodes=0",
            "dataset 'sim:lift?episodes=0': episodes=0 is out of range; choose 1 to 1000",
        ),
        (
            "sim:lift?seed=-1",
            "dataset 'sim:lift?seed=-1': seed=-1 is out of range; choose 0 to 9999",
        ),
        (
            "sim:sort?colour=rot",
            "dataset 'sim:sort?colour=rot': unknown colour 'rot'; choose from red, green, blue, "
            "yellow, any",
        ),
        (
            "sim:lift?camera_y=4",
            "dataset 'sim:lift?camera_y=4': camera_y=4 is out of range; choose -3 to 3",
        ),
        (
            "sim:lift?camera_z=0.5",
            "dataset 'sim:lift?camera_z=0.5': camera_z=0.5 is not a whole number; write "
            "camera_z=10",
        ),
        (
            "sim:lift?light=0",
            "dataset 'sim:lift?light=0': light=0 is out of range; choose 40 to 140",
        ),
        (
            "sim:lift?light_turn=181",
            "dataset 'sim:lift?light_turn=181': light_turn=181 is out of range; choose -180 to 180",
        ),
    ],
)
def test_a_wrong_address_is_refused_with_the_fix(uri: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        SimSpec.parse(uri)
    assert str(error.value) == message


def test_no_scene_serves_two_purposes() -> None:
    recordings = [
        demonstration_seeds(region, split, seed, task)
        for region, split, seed, task in itertools.product(
            REGIONS, SPLITS, (0, 1, 2, MAX_SEED), TASKS
        )
    ]
    ranges = sorted([BASE_SCENES, EVALUATION_STARTS, *recordings], key=lambda seeds: seeds.start)
    assert len(ranges) == 2 + 5 * 2 * 4 * 4
    for earlier, later in itertools.pairwise(ranges):
        assert earlier.stop <= later.start


@pytest.mark.parametrize(
    ("xy", "region"),
    [
        ((0.2, -0.07), "right"),
        ((0.2, -0.05), "mid-right"),
        ((0.2, 0.049), "mid-left"),
        ((0.2, 0.05), "left"),
        ((0.2, 0.2), "left"),
        ((0.2, -0.2), "right"),
    ],
)
def test_a_point_belongs_to_the_nearest_strip(xy: tuple[float, float], region: str) -> None:
    assert region_of(xy) == region


def test_reading_addresses_imports_nothing_heavy() -> None:
    code = (
        "import sys, zk0_core.sim.spec; "
        "print([m for m in ('mujoco', 'torch', 'lerobot') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
