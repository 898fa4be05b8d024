"""A dataset at a lower rate, by the option fps of its address."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Zk0
from recordings import TOP, Recording, write_v3

from zk0_core.data import training_episodes
from zk0_core.errors import DataError
from zk0_core.parts import open_dataset

RECORDING = Recording(lengths=(7, 4, 6), fps=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_v3(tmp_path_factory.mktemp("recordings") / "desk", RECORDING)


def test_one_frame_of_three_from_each_episodes_first(folder: Path) -> None:
    slow = open_dataset(f"local:{folder}?fps=10&eval_episodes=1")
    assert slow.schema.fps == 10
    # Frames 0, 3, 6 of the first episode, 7, 10 of the second, 11, 14 of the third.
    taken = [0, 3, 6, 7, 10, 11, 14]
    assert [(e.index, e.start, e.stop) for e in slow.episodes] == [(0, 0, 3), (1, 3, 5), (2, 5, 7)]
    assert [e.index for e in training_episodes(slow)] == [0, 1]
    np.testing.assert_array_equal(slow.state, RECORDING.joints(RECORDING.state)[taken])
    np.testing.assert_array_equal(slow.action, RECORDING.joints(RECORDING.action)[taken] + 1)
    fast = open_dataset(f"local:{folder}")
    pictures = list(fast.frames(TOP))
    np.testing.assert_array_equal(list(slow.frames(TOP)), [pictures[i] for i in taken])
    # Another cache, and still the same recording.
    assert slow.fingerprint != fast.fingerprint
    assert [e.hash for e in slow.episodes] == [e.hash for e in fast.episodes]


def test_episodes_that_are_not_chosen_are_left_out(folder: Path) -> None:
    slow = open_dataset(f"local:{folder}?fps=15&episodes=1")
    assert [(e.index, e.start, e.stop) for e in slow.episodes] == [(1, 0, 2)]
    assert len(slow.state) == len(list(slow.frames(TOP))) == 2


def test_the_same_rate_changes_nothing(folder: Path) -> None:
    same, fast = open_dataset(f"local:{folder}?fps=30"), open_dataset(f"local:{folder}")
    assert list(same.episodes) == list(fast.episodes)
    np.testing.assert_array_equal(same.state, fast.state)


@pytest.mark.parametrize("fps", [0, -10, 20, 60])
def test_rates_that_cannot_be_had(folder: Path, fps: int) -> None:
    with pytest.raises(DataError) as refused:
        open_dataset(f"local:{folder}?fps={fps}")
    assert str(refused.value) == (
        f"local:{folder}?fps={fps}: fps={fps} cannot be had from 30 fps by leaving out frames; "
        "choose from 30, 15, 10, 6, 5, 3, 2, 1"
    )


def test_it_mends_what_the_check_finds(zk0: Zk0, folder: Path, tmp_path: Path) -> None:
    other = f"local:{write_v3(tmp_path / 'other', Recording(lengths=(4, 3), seed=3))}"
    fast = f"local:{folder}"
    outcome = zk0("data", "check", other, fast, "--quick", "--json")
    (finding,) = outcome.json["findings"]
    assert finding["fix"] == (
        f"one policy needs one rate: fps=10 in the address of {fast} takes one frame of 3"
    )
    assert zk0("data", "check", other, f"{fast}?fps=10").status == 0
