"""`zk0 data convert`: format v2.1 to v3.0 by LeRobot's own converter, and nothing lost."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Zk0
from hub_server import go_online, hub
from recordings import TOP, Recording, change_info, write_v3, write_v21

from zk0_core.parts import open_dataset

RECORDING = Recording(lengths=(6, 5))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_v21(tmp_path_factory.mktemp("old") / "desk", RECORDING)


@pytest.fixture
def old(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "desk"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def check_content(folder: Path) -> None:
    """The same states, actions, tasks and pictures as in the recording written as v3.0."""
    dataset = open_dataset(f"local:{folder}")
    np.testing.assert_array_equal(dataset.state, RECORDING.joints(RECORDING.state))
    np.testing.assert_array_equal(dataset.action, RECORDING.joints(RECORDING.action) + 1)
    assert [(e.start, e.stop, e.task) for e in dataset.episodes] == [
        (0, 6, "Pick up the cube"),
        (6, 11, "Put it down"),
    ]
    pictures = np.stack(list(dataset.frames(TOP))).astype(int)
    # Encoding costs a few shades; the next picture is nine away.
    assert np.abs(pictures - RECORDING.pictures(TOP)).mean() < 4


def test_in_place_the_original_is_kept_beside_it(zk0: Zk0, original: Path, old: Path) -> None:
    outcome = zk0("data", "convert", old)
    assert outcome.status == 0, outcome.error
    kept = old.with_name("desk-v2.1")
    assert outcome.out.splitlines() == [
        f"2 episodes, 11 frames: {old}",
        f"the original is at {kept}",
        f"check it with: zk0 data check local:{old}",
    ]
    assert files(kept) == files(original)
    check_content(old)
    assert zk0("data", "check", f"local:{old}").status == 0
    assert sorted(path.name for path in old.parent.iterdir()) == ["desk", "desk-v2.1"]


def test_to_another_place_the_original_is_not_touched(
    zk0: Zk0, original: Path, old: Path, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "desk"
    outcome = zk0("data", "convert", old, "--output", target, "--json")
    assert outcome.json == {
        "folder": str(target),
        "original": str(old),
        "episodes": 2,
        "frames": 11,
    }
    assert files(old) == files(original)
    check_content(target)


def test_lerobot_reads_the_result_and_what_these_tests_write(
    zk0: Zk0, old: Path, tmp_path: Path
) -> None:
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    assert zk0("data", "convert", old).status == 0
    for folder in (old, write_v3(tmp_path / "written", RECORDING)):
        theirs = LeRobotDataset("local/desk", root=folder, video_backend="pyav")
        ours = open_dataset(f"local:{folder}")
        assert len(theirs) == 11
        pictures = list(ours.frames(TOP))
        for index in (0, 5, 6, 10):
            frame = theirs[index]
            np.testing.assert_array_equal(frame["action"].numpy(), ours.action[index])
            shown = np.round(frame[TOP].numpy() * 255).transpose(1, 2, 0)
            np.testing.assert_array_equal(shown, pictures[index])


def refusal(zk0: Zk0, *arguments: object) -> tuple[int, str]:
    outcome = zk0("data", "convert", *arguments)
    return outcome.status, outcome.error.splitlines()[-1]


def test_what_is_there_is_never_written_over(zk0: Zk0, old: Path, tmp_path: Path) -> None:
    taken = tmp_path / "desk-v2.1"
    taken.mkdir()
    assert refusal(zk0, old) == (
        2,
        f"Error: {taken} is there already; move it away, or choose another --output",
    )
    assert refusal(zk0, old, "--output", taken)[0] == 2


def test_v3_needs_no_conversion(zk0: Zk0, tmp_path: Path) -> None:
    folder = write_v3(tmp_path / "new", Recording(lengths=(2,)))
    assert refusal(zk0, folder) == (
        2,
        f"Error: {folder} is in format v3.0 already; there is nothing to convert",
    )


def test_formats_before_need_another_lerobot(zk0: Zk0, old: Path) -> None:
    change_info(old, codebase_version="v2.0")
    assert (
        "LeRobot converts v2.1; convert it to v2.1 with the LeRobot of its time"
        in refusal(zk0, old)[1]
    )


def test_no_dataset(zk0: Zk0, tmp_path: Path) -> None:
    assert "is no LeRobot dataset: meta/info.json is missing" in refusal(zk0, tmp_path)[1]


def test_a_lost_file_is_named(zk0: Zk0, old: Path) -> None:
    (old / "meta" / "episodes_stats.jsonl").unlink()
    assert refusal(zk0, old) == (
        2,
        f"Error: {old}: meta/episodes_stats.jsonl is missing; copy or download it again",
    )


def test_what_lerobot_cannot_convert_is_left_as_it_was(zk0: Zk0, old: Path) -> None:
    next((old / "videos").rglob("episode_000001.mp4")).unlink()
    before = files(old)
    status, error = refusal(zk0, old)
    assert status == 1
    assert error.startswith(f"Error: {old}: LeRobot cannot convert it: ValueError: All cams ")
    assert error.endswith("see whether every episode has its parquet file and its videos")
    assert files(old) == before
    assert [path.name for path in old.parent.iterdir()] == ["desk"]


def test_the_result_is_checked_before_it_gets_its_name(zk0: Zk0, old: Path) -> None:
    info = json.loads((old / "meta" / "info.json").read_text())
    change_info(old, total_frames=info["total_frames"] + 3)
    status, error = refusal(zk0, old)
    assert status == 2
    assert "holds 11 frames but meta/info.json says 14" in error
    assert [path.name for path in old.parent.iterdir()] == ["desk"]


def test_a_dataset_of_the_hub_needs_a_place(zk0: Zk0) -> None:
    assert refusal(zk0, "hf:owner/name") == (
        2,
        "Error: hf:owner/name stays in the Hub's cache as it is; say where with --output DIR",
    )


def test_an_older_format_is_converted_out_of_the_hubs_cache(
    zk0: Zk0, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with hub(write_v21(tmp_path / "served", Recording(lengths=(3, 2)))) as server:
        go_online(monkeypatch, server, tmp_path / "home")
        outcome = zk0("data", "check", "hf:owner/desk?eval_episodes=1", "--json")
        assert outcome.json["findings"][0]["fix"] == (
            "convert it with `zk0 data convert hf:owner/desk --output desk` and use local:desk"
        )
        assert zk0("data", "convert", "hf:owner/desk", "--output", "desk").status == 0
    assert zk0("data", "check", "local:desk?eval_episodes=1", "--quick").status == 0
    assert list((tmp_path / "home").rglob("meta/episodes.jsonl"))
