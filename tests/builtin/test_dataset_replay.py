"""Predicted against recorded actions, on values worked out by hand."""

import errno
import os
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from zk0_core import replay as module
from zk0_core.builtin.evaluator_dataset_replay import figures_of
from zk0_core.data import FeatureSums
from zk0_core.disk import is_full
from zk0_core.errors import DataError
from zk0_core.replay import Replayed, held_out_pictures, predictions, units_of
from zk0_core.testing import examples


class Repeating:
    """Predicts, for every look, its number in the batch and then what it was told of the state."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.looks: list[Any] = []

    def act(self, pictures: Any, state: Any, tasks: Any, generator: Any) -> np.ndarray:
        self.looks.append((pictures["observation.images.top"][:, 0, 0, 0].tolist(), list(tasks)))
        return np.repeat(state[:, None], self.steps, axis=1)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "cache"))


def test_the_policy_looks_again_when_its_actions_are_used_up() -> None:
    """The held-out episode has frames 9 to 14; with 4 actions a look it looks at 9 and 13."""
    dataset, policy = examples.dataset(), Repeating(4)
    episode = dataset.episodes[-1]
    predicted = predictions(policy, dataset, episode, None)  # type: ignore[arg-type]
    assert predicted.shape == (6, 4)
    assert (predicted[:4] == dataset.state[9]).all() and (predicted[4:] == dataset.state[13]).all()
    # The pictures are those of these frames, which are 7 brighter each.
    assert [look[0] for look in policy.looks] == [[63], [91]]
    assert policy.looks[0][1] == ["Pick up the cube"]


def test_pictures_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = examples.dataset()
    first = held_out_pictures(dataset, "observation.images.top")
    assert {index: array.shape for index, array in first.items()} == {2: (6, 8, 12, 3)}
    monkeypatch.setattr(examples.TinyDataset, "frames", None)
    again = held_out_pictures(dataset, "observation.images.top")
    assert (again[2] == first[2]).all()


def test_other_episodes_of_the_same_recordings_have_other_pictures() -> None:
    """Such as those of `episodes=0-1` and of `episodes=0,2`, joined, where each is number 1."""
    camera = "observation.images.top"
    every = examples.dataset(held_out=1)
    first, second, third = every.episodes
    one = attrs.evolve(every, episodes=(first, second))
    other = attrs.evolve(every, episodes=(first, attrs.evolve(third, index=1)))
    assert one.fingerprint == other.fingerprint
    # Frame 5 is the first of the second episode, frame 9 of the third; each is 7 brighter.
    assert held_out_pictures(one, camera)[1][:, 0, 0, 0].tolist() == [35, 42, 49, 56]
    assert held_out_pictures(other, camera)[1][:, 0, 0, 0].tolist() == [63, 70, 77, 84, 91, 98]


def test_pictures_that_find_no_room_are_an_error_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a map has holes, and a hole without room for it is SIGBUS, not an error."""

    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="pictures of a held-out episode of tiny: take ") as refused:
        held_out_pictures(examples.dataset(), "observation.images.top")
    assert is_full(refused.value)
    assert [path for path in (tmp_path / "cache" / "replay").iterdir() if path.is_dir()] == []


def test_missing_pictures_are_told() -> None:
    class Short(examples.TinyDataset):
        def frames(self, camera: str) -> Any:
            return list(super().frames(camera))[:11]

    short = Short(**attrs.asdict(examples.dataset(), recurse=False))
    with pytest.raises(DataError) as failed:
        held_out_pictures(short, "observation.images.top")
    assert str(failed.value) == (
        "tiny:: observation.images.top lacks pictures of 4 held-out frames; record or download the "
        "videos again"
    )


def test_a_dataset_that_holds_nothing_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_dataset", lambda uri, rename: examples.dataset(held_out=0))
    with pytest.raises(DataError) as failed:
        module.held_out("local:/data/desk", {})
    assert str(failed.value) == (
        "evaluation dataset local:/data/desk holds out no episode to replay; add eval_episodes=5 "
        "to it"
    )


def test_frames_count_the_same_whatever_their_episode() -> None:
    """2 frames off by 1 and 4 off by 4 are off by (2 · 1 + 4 · 4) / 6 = 3; the mean with 5 is 4."""
    units = {"pan": "degrees", "gripper": "percent"}
    one = Replayed({"pan": 1.0, "gripper": 5.0}, units, 2)
    other = Replayed({"pan": 4.0, "gripper": 5.0}, units, 4)
    assert figures_of([one, other]) == {
        "mean_absolute_error": 4.0,
        "error_by_joint": {"pan": 3.0, "gripper": 5.0},
        "units": units,
        "episodes": 2,
        "frames": 6,
    }


@pytest.mark.parametrize(
    ("reach", "unit"), [(120.0, "degrees"), (90.0, "degrees or percent"), (3.0, "radians")]
)
def test_units_follow_from_names_and_ranges(reach: float, unit: str) -> None:
    sums = FeatureSums(2, (0.0, 50.0), (1.0, 1.0), (-reach, 0.0), (1.0, 100.0))
    found = units_of(("shoulder_pan.pos", "gripper.pos"), {"observation.state": sums})
    assert found == {"shoulder_pan.pos": unit, "gripper.pos": "percent"}


def test_the_video_shows_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    dataset = examples.dataset()
    episode = dataset.episodes[-1]
    pictures = list(module._pictures(dataset, episode, dataset.action[9:15] + 1))
    # Two cameras of 8 by 12, 240 high, are 360 wide each; four joints stand below in one row.
    assert [picture.shape for picture in pictures] == [(240 + 84, 720, 3)] * 6
    module.write_video(tmp_path / "a.mp4", iter(pictures), 10)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert len(list(container.decode(video=0))) == 6
