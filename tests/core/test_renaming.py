"""A client's rename map: what it does, and what it refuses."""

import numpy as np
import pytest

from zk0_core.data import DatasetSchema, Episode, RobotDataset
from zk0_core.errors import DataError
from zk0_core.renaming import renamed


class TwoCameras:
    """A dataset of one frame, made up: renaming looks at nothing but names."""

    uri = "made:up"
    fingerprint = "abc"
    episodes = (Episode(0, 0, 1, "wave", "h"),)
    held_out = 0
    state = np.zeros((1, 2), np.float32)
    action = np.zeros((1, 2), np.float32)
    schema = DatasetSchema(
        cameras={"side": (2, 2, 3), "wrist": (2, 2, 3)},
        state=("pan", "grip"),
        action=("pan", "grip"),
        fps=30,
        tasks=("wave",),
        robot="so101",
        format="v3",
    )

    def frames(self, camera: str):  # type: ignore[no-untyped-def]  # one picture, by camera
        """Yield a picture that tells which camera it is."""
        yield np.full((2, 2, 3), {"side": 1, "wrist": 2}[camera], np.uint8)


class OtherCamera(TwoCameras):
    """Another recording of the same client, in which the first camera is called otherwise."""

    uri = "made:later"
    schema = DatasetSchema(
        {"above": (2, 2, 3)}, ("pan", "grip"), ("pan", "grip"), 30, ("wave",), "so101", "v3"
    )


def after(rename: dict[str, str]) -> RobotDataset:
    (dataset,) = renamed([TwoCameras()], rename)
    return dataset


def refusal(*datasets: RobotDataset, rename: dict[str, str]) -> str:
    with pytest.raises(DataError) as refused:
        renamed(datasets, rename)
    return str(refused.value)


def test_pictures_come_under_the_new_name() -> None:
    dataset = after({"side": "top"})
    assert sorted(dataset.schema.cameras) == ["top", "wrist"]
    assert next(dataset.frames("top"))[0, 0, 0] == 1
    assert next(dataset.frames("wrist"))[0, 0, 0] == 2


def test_joints_change_their_name_in_state_and_action_and_keep_their_place() -> None:
    schema = after({"grip": "gripper.pos"}).schema
    assert schema.state == schema.action == ("pan", "gripper.pos")
    assert sorted(schema.cameras) == ["side", "wrist"]


def test_two_clients_that_rename_differently_never_share_a_cache() -> None:
    swapped, other = after({"side": "wrist", "wrist": "side"}), after({"side": "top"})
    assert len({swapped.fingerprint, other.fingerprint, "abc"}) == 3


def test_names_of_joints_cost_no_cache() -> None:
    assert after({"pan": "p"}).fingerprint == "abc"
    assert after({"side": "top"}).fingerprint == after({"side": "top", "pan": "p"}).fingerprint


def test_each_of_several_recordings_takes_what_it_has() -> None:
    one, two = renamed([TwoCameras(), OtherCamera()], {"side": "top", "above": "top"})
    assert sorted(one.schema.cameras) == ["top", "wrist"]
    assert sorted(two.schema.cameras) == ["top"]


def test_a_name_that_is_not_there() -> None:
    assert refusal(TwoCameras(), rename={"sid": "top"}) == (
        "rename of made:up: it has no camera or joint 'sid'; choose from side, wrist, pan, grip; "
        "did you mean 'side'?"
    )
    assert refusal(TwoCameras(), OtherCamera(), rename={"front": "top"}) == (
        "rename of made:up + made:later: it has no camera or joint 'front'; choose from side, "
        "wrist, pan, grip, above"
    )


def test_two_cameras_of_one_name() -> None:
    assert refusal(TwoCameras(), rename={"side": "wrist"}) == (
        "rename of made:up: 'side' and 'wrist' of its cameras would both be 'wrist'; "
        "give one of them another name"
    )


def test_two_joints_of_one_name() -> None:
    assert refusal(TwoCameras(), rename={"pan": "grip"}) == (
        "rename of made:up: 'pan' and 'grip' of its state would both be 'grip'; "
        "give one of them another name"
    )
