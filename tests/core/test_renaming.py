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
    state = np.zeros((1, 6), np.float32)
    action = np.zeros((1, 6), np.float32)
    schema = DatasetSchema(
        {"side": (2, 2, 3), "wrist": (2, 2, 3)}, ("a",), ("a",), 30, ("wave",), "so101", "v3"
    )

    def frames(self, camera: str):  # type: ignore[no-untyped-def]  # one picture, by camera
        """Yield a picture that tells which camera it is."""
        yield np.full((2, 2, 3), {"side": 1, "wrist": 2}[camera], np.uint8)


def dataset() -> RobotDataset:
    return TwoCameras()


def test_pictures_come_under_the_new_name() -> None:
    after = renamed(dataset(), {"side": "top"})
    assert sorted(after.schema.cameras) == ["top", "wrist"]
    assert next(after.frames("top"))[0, 0, 0] == 1
    assert next(after.frames("wrist"))[0, 0, 0] == 2


def test_two_clients_that_rename_differently_never_share_a_cache() -> None:
    swapped = renamed(dataset(), {"side": "wrist", "wrist": "side"})
    other = renamed(dataset(), {"side": "top"})
    assert len({swapped.fingerprint, other.fingerprint, "abc"}) == 3


def test_a_camera_that_is_not_there_is_named() -> None:
    text = "rename of made:up: it has no camera 'front'; it has side, wrist"
    with pytest.raises(DataError, match=text):
        renamed(dataset(), {"front": "top"})


def test_two_cameras_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="two cameras would be called alike"):
        renamed(dataset(), {"side": "wrist"})
