"""A recording as written, as read; and what is wrong with others."""

from pathlib import Path

import pytest
from zk0_csv.loader import CsvLoader
from zk0_csv.sample import write_sample

from zk0_core import DataError


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Joint j of episode e starts at 30° · sin(e + j); the third picture has red of 40."""
    dataset = CsvLoader().open(f"csv:{write_sample(tmp_path / 'desk')}")
    assert dataset.schema.state == ("pan.pos", "lift.pos", "gripper.pos")
    assert dataset.state[0].tolist() == pytest.approx([0.0, 25.244, 27.279], abs=1e-3)
    pictures = list(dataset.frames("observation.images.top"))
    assert pictures[2][0, 0].tolist() == [40, 0, 50]
    assert len(pictures) == len(dataset.state) == 10


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A folder of something else, an unknown option, a missing picture."""
    with pytest.raises(
        DataError, match=r"there is no .*robot\.toml; is it a folder of CSV logs\?$"
    ):
        CsvLoader().open(f"csv:{tmp_path}")
    root = write_sample(tmp_path / "desk")
    with pytest.raises(DataError, match=r"the only option is eval_episodes=K, a whole number$"):
        CsvLoader().open(f"csv:{root}?hold=1")
    (root / "episode-1" / "top" / "3.png").unlink()
    with pytest.raises(DataError, match=r"there is no picture .*3\.png$"):
        list(CsvLoader().open(f"csv:{root}").frames("observation.images.top"))


def test_a_gap_in_a_row_is_told(tmp_path: Path) -> None:
    """NumPy cannot make numbers of it."""
    root = write_sample(tmp_path / "desk")
    path = root / "episode-0" / "joints.csv"
    path.write_text(path.read_text().replace("25.244", "nan"))
    with pytest.raises(DataError, match=r"joints\.csv has gaps; give each row all joints$"):
        CsvLoader().open(f"csv:{root}")
