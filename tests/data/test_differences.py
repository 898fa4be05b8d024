"""Several datasets: what differs across them, and the rename map that would mend it."""

from pathlib import Path

import pytest
from conftest import Zk0
from recordings import JOINTS, TOP, WRIST, Recording, write_v3

from zk0_core.data import DatasetSchema, FeatureSums
from zk0_core.datacheck.differences import Side, differences, reference, rename_map
from zk0_core.datacheck.names import camera_pairs, joint_pairs, merged

SIDE = "observation.images.side"
FRONT = "observation.images.front"


def sums(*ranges: tuple[float, float]) -> FeatureSums:
    low, high = zip(*ranges, strict=True)
    zeros = (0.0,) * len(ranges)
    return FeatureSums(count=2, mean=zeros, m2=zeros, min=low, max=high)


def side(
    name: str = "b",
    *,
    cameras: tuple[str, ...] = (TOP,),
    joints: tuple[str, ...] = JOINTS,
    fps: int = 30,
    robot: str = "so101_follower",
    ranges: tuple[tuple[float, float], ...] = ((-60, 60),) * 3,
    size: tuple[int, int] = (48, 64),
) -> Side:
    schema = DatasetSchema(
        {camera: (*size, 3) for camera in cameras}, joints, joints, fps, ("t",), robot, "v3"
    )
    return Side(name, schema, {"observation.state": sums(*ranges), "action": sums(*ranges)})


OURS = side("a")


def texts(theirs: Side, ours: Side = OURS) -> list[str]:
    return [finding.text for finding in differences([ours, ours, theirs], cameras=True)]


def test_nothing_differs() -> None:
    assert texts(side()) == []


def test_a_camera_by_another_name() -> None:
    assert texts(side(cameras=(SIDE,))) == [
        f"b: no camera {TOP}, which a has; it has {SIDE}; if they show the same, say "
        f'rename = {{ "{SIDE}" = "{TOP}" }} for it'
    ]


def test_a_camera_too_few() -> None:
    ours = side("a", cameras=(TOP, WRIST))
    assert texts(side(), ours) == [f"b: no camera {WRIST}, which a has; it has {TOP}; record them"]


def test_a_camera_besides_is_a_warning() -> None:
    (finding,) = differences([OURS, OURS, side(cameras=(TOP, SIDE))], cameras=True)
    assert not finding.error
    assert finding.text == (
        f"b: camera {SIDE} besides those of a; "
        "name the cameras to use with the option cameras of the policy"
    )


def test_cameras_are_the_policys_business_in_a_run() -> None:
    assert differences([OURS, side(cameras=(SIDE,))], cameras=False) == []


def test_pictures_of_another_size_are_a_warning() -> None:
    (finding,) = differences([OURS, OURS, side(size=(480, 640))], cameras=True)
    assert not finding.error
    assert finding.problem == f"{TOP} is 480x640, a has 48x64"


def test_joints_by_another_name() -> None:
    old = tuple(f"main_{name.removesuffix('.pos')}" for name in JOINTS)
    found = texts(side(joints=old))
    rename = (
        'rename = { "main_shoulder_pan" = "shoulder_pan.pos", "main_elbow_flex" = '
        '"elbow_flex.pos", "main_gripper" = "gripper.pos" }'
    )
    assert found == [
        f"b: {what} has 3 joints {', '.join(old)}, a has 3 joints {', '.join(JOINTS)}; "
        f"if they are the same joints in this order, say {rename} for it"
        for what in ("state", "action")
    ]


def test_joints_in_another_order_cannot_be_renamed() -> None:
    swapped = (JOINTS[1], JOINTS[0], JOINTS[2])
    assert texts(side(joints=swapped))[0] == (
        f"b: state has the joints of a in another order: {', '.join(swapped)} against "
        f"{', '.join(JOINTS)}; a rename cannot move columns: record or convert it in the same order"
    )


def test_unequal_numbers_of_joints() -> None:
    few = side(joints=JOINTS[:2], ranges=((-60, 60),) * 2)
    assert texts(few)[1] == (
        f"b: action has 2 joints {', '.join(JOINTS[:2])}, a has 3 joints {', '.join(JOINTS)}; "
        "one policy needs the same number of joints: choose datasets of one kind of robot"
    )


def test_fps_and_robot() -> None:
    found = differences([OURS, OURS, side(fps=15, robot="koch")], cameras=True)
    assert [(f.text, f.error) for f in found] == [
        (
            "b: fps is 15, a has 30; one policy needs one rate: fps=15 in the address of a "
            "takes one frame of 2",
            True,
        ),
        (
            "b: robot is koch, a has so101_follower; see whether joints of the same name mean the "
            "same",
            False,
        ),
    ]


@pytest.mark.parametrize(
    ("theirs", "problem"),
    [
        # π is half a turn; 60 degrees are beyond what radians of one turn could say.
        (((-1.5, 3.14),) * 3, "b stays within ±3.14 and a reaches 60: radians against degrees"),
        # The gripper, the last one, has a unit of its own.
        (((-60, 60), (-60, 60), (0, 1)), None),
        (
            ((30, 60), (95, 130), (0, 9)),
            "elbow_flex.pos is 95 to 130 (there -60 to 60) against a: ranges that lie far apart",
        ),
        (((30, 60), (85, 130), (0, 9)), None),
    ],
)
def test_values(theirs: tuple[tuple[float, float], ...], problem: str | None) -> None:
    found = differences([OURS, side(ranges=theirs)], cameras=True)
    assert [finding.problem for finding in found] == ([problem] if problem else [])
    assert not any(finding.error for finding in found)


def test_percent_against_degrees() -> None:
    percent = side("a", ranges=((-100, 80), (-20, 100), (0, 100)))
    degrees = side("b", ranges=((-108, 80), (-20, 90), (0, 100)))
    (finding,) = differences([percent, degrees], cameras=True)
    assert finding.problem == (
        "a ends at exactly ±100 and b reaches 108: percent of a joint's range against degrees"
    )


def test_rates_that_are_no_whole_multiple() -> None:
    assert texts(side(fps=25)) == [
        "b: fps is 25, a has 30; one policy needs one rate: record or convert it at the same"
    ]


def test_most_datasets_are_right() -> None:
    odd = side("odd", fps=15)
    assert reference([odd, side("b"), side("c")]).name == "b"
    assert reference([side("b"), odd]).name == "b"
    assert [f.dataset for f in differences([odd, side("b"), side("c")], cameras=True)] == ["odd"]


def test_cameras_are_paired_by_what_their_names_mean() -> None:
    # "gripper" is a wrist camera and "overhead" a top one, in whatever order they come.
    assert camera_pairs(["a.gripper", "a.overhead"], ["a.top", "a.wrist"]) == {
        "a.gripper": "a.wrist",
        "a.overhead": "a.top",
    }
    assert camera_pairs(["a.cam_top", "a.phone"], ["a.front", "a.top"]) == {
        "a.cam_top": "a.top",
        "a.phone": "a.front",
    }
    assert camera_pairs(["a.top"], ["a.top", "a.wrist"]) == {}
    assert camera_pairs([], []) == {}


def test_joints_are_paired_in_place_or_not_at_all() -> None:
    assert joint_pairs(["one", "two"], ["pan", "lift"]) == {"one": "pan", "two": "lift"}
    assert joint_pairs(["lift.pos", "main_pan"], ["pan", "lift"]) is None
    assert joint_pairs(["pan"], ["pan", "lift"]) is None
    assert joint_pairs(["pan"], ["pan"]) == {}


def test_maps_that_contradict_each_other_are_none() -> None:
    assert merged([{"a": "b"}, {"c": "d"}]) == {"a": "b", "c": "d"}
    assert merged([{"a": "b"}, {"a": "c"}]) is None


def test_one_map_for_cameras_and_joints() -> None:
    theirs = side(cameras=(SIDE,), joints=("pan", *JOINTS[1:]))
    assert rename_map(OURS.schema, theirs.schema) == {SIDE: TOP, "pan": JOINTS[0]}


def test_the_proposed_map_mends_it(zk0: Zk0, tmp_path: Path) -> None:
    left = write_v3(tmp_path / "left", Recording(lengths=(4, 3)))
    others = Recording(
        lengths=(4, 3),
        cameras={SIDE: (48, 64), "observation.images.gripper": (48, 64)},
        state=("pan", *JOINTS[1:]),
        action=("pan", *JOINTS[1:]),
        seed=5,
    )
    right = write_v3(tmp_path / "right", others)
    pair = f"local:{left}", f"local:{right}"
    outcome = zk0("data", "check", *pair, "--quick", "--json")
    assert outcome.status == 1
    assert {finding["dataset"] for finding in outcome.json["findings"]} == {pair[1]}
    rename = outcome.json["renames"][pair[1]]
    assert rename == {
        "observation.images.gripper": WRIST,
        SIDE: TOP,
        "pan": JOINTS[0],
    }
    option = ",".join(f"{old}:{new}" for old, new in rename.items())
    mended = zk0("data", "check", pair[0], f"{pair[1]}?rename={option}", "--quick")
    assert mended.status == 0, mended.out
    assert mended.out.splitlines()[-1] == "ok: nothing found"
