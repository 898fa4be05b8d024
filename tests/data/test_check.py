"""`zk0 data check` on one dataset: what it finds, and that a healthy one passes."""

import shutil
from pathlib import Path

import av
import pyarrow.parquet as pq
import pytest
from conftest import Zk0
from recordings import (
    JOINTS,
    TOP,
    WRIST,
    Recording,
    change_info,
    change_rows,
    write_v3,
    write_v21,
    write_video,
)

HEALTHY = Recording()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_v3(tmp_path_factory.mktemp("recordings") / "desk", HEALTHY)


@pytest.fixture
def folder(healthy: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(healthy, tmp_path / "desk"))


def only_finding(zk0: Zk0, folder: Path, query: str = "", *flags: str) -> dict[str, object]:
    """Return the one thing that is found, which must be of `folder`, and fail the command."""
    outcome = zk0("data", "check", f"local:{folder}{query}", "--json", *flags)
    (finding,) = outcome.json["findings"]
    assert finding.pop("dataset") == f"local:{folder}{query}"
    assert outcome.status == int(finding["error"])
    assert outcome.json["ok"] is not finding["error"]
    return finding


def test_nothing_is_wrong_with_a_healthy_one(zk0: Zk0, healthy: Path) -> None:
    outcome = zk0("data", "check", f"local:{healthy}?eval_episodes=1")
    assert outcome.status == 0
    head, row, *rest = outcome.out.splitlines()
    assert " ".join(head.split()) == "DATASET EPISODES FRAMES FPS ROBOT CAMERAS JOINTS"
    assert " ".join(row.split()[1:]) == (
        "3 (1 held out) 18 10 so101_follower top 48x64, wrist 48x64 3, 3 in action"
    )
    assert rest[-1] == "ok: nothing found"
    assert f"decoding {TOP} of local:{healthy}?eval_episodes=1: 18/18" in outcome.error


def test_quick_decodes_nothing(zk0: Zk0, healthy: Path) -> None:
    outcome = zk0("data", "check", f"local:{healthy}", "--quick", "--json")
    assert outcome.status == 0
    assert outcome.error == ""
    (dataset,) = outcome.json["datasets"]
    assert (dataset["episodes"], dataset["held_out"], dataset["frames"]) == (3, 0, 18)
    assert dataset["schema"]["cameras"] == {TOP: [48, 64, 3], WRIST: [48, 64, 3]}
    assert outcome.json["renames"] == {}


def test_nan_names_its_episodes_and_leaving_them_out_mends_it(zk0: Zk0, folder: Path) -> None:
    def spoil(rows):
        rows["observation.state"][0][1] = float("nan")
        rows["action"][12][0] = float("inf")

    change_rows(folder, spoil)
    assert only_finding(zk0, folder) == {
        "what": "rows",
        "problem": "episodes 0, 2 hold a NaN or infinite state or action",
        "fix": "record again, or choose the others with the option episodes of the address",
        "episodes": [0, 2],
        "error": True,
    }
    assert zk0("data", "check", f"local:{folder}?episodes=1").status == 0


def test_rows_of_unequal_size(zk0: Zk0, folder: Path) -> None:
    change_rows(folder, lambda rows: rows["action"][7].append(1.0))
    assert only_finding(zk0, folder) == {
        "what": "rows",
        "problem": "action has 4 numbers in episode 1, meta/info.json says 3",
        "fix": "recordings of different arms were mixed; record or export them apart",
        "episodes": [1],
        "error": True,
    }


def test_frames_that_are_there_twice(zk0: Zk0, folder: Path) -> None:
    data = folder / "data" / "chunk-000"
    shutil.copy(data / "file-000.parquet", data / "episode_000000.parquet")
    found = only_finding(zk0, folder)
    assert "holds 36 frames but meta/info.json says 18: frames are there twice" in found["problem"]
    assert found["fix"] == "delete the older ones (data/chunk-*/episode_*.parquet)"


def test_timestamps_of_another_rate(zk0: Zk0, folder: Path) -> None:
    def slow(rows):
        for row in range(6, 11):  # the frames of episode 1, at 5 instead of 10 a second
            rows["timestamp"][row] *= 2

    change_rows(folder, slow)
    found = only_finding(zk0, folder)
    assert found["problem"] == "episode 1 was recorded at 5 fps, meta/info.json says 10"
    assert found["episodes"] == [1]


def test_a_gap_in_the_timestamps(zk0: Zk0, folder: Path) -> None:
    def drop(rows):
        for row in range(15, 18):
            rows["timestamp"][row] += 0.1

    change_rows(folder, drop)
    found = only_finding(zk0, folder)
    assert found["problem"] == (
        "frames are missing, or there twice, in episode 2: timestamps are not 1/10 s apart"
    )


def test_an_episode_that_is_there_twice(zk0: Zk0, tmp_path: Path) -> None:
    folder = write_v3(tmp_path / "twins", Recording(lengths=(6, 6)))

    def twin(rows):
        for name in ("observation.state", "action"):
            rows[name][6:12] = rows[name][0:6]

    change_rows(folder, twin)
    assert only_finding(zk0, folder, "", "--quick") == {
        "what": "episodes",
        "problem": "episode 1 has the frames of episode 0",
        "fix": "leave one out with the option episodes of the address",
        "episodes": [1],
        "error": True,
    }


def test_a_task_that_is_not_there(zk0: Zk0, folder: Path) -> None:
    change_rows(folder, lambda rows: rows["task_index"].__setitem__(slice(6, 11), [7] * 5))
    found = only_finding(zk0, folder)
    assert found["problem"] == ("episode 1 names task 7, which meta/tasks.parquet does not have")


def test_episodes_of_another_length_than_promised(zk0: Zk0, folder: Path) -> None:
    def move(rows):
        rows["episode_index"][5] = 1

    change_rows(folder, move)
    outcome = zk0("data", "check", f"local:{folder}", "--json")
    assert outcome.status == 1
    assert [f["problem"] for f in outcome.json["findings"][:2]] == [
        "episode 0 has 5 frames in data/ and 6 in meta/episodes",
        "episode 1 has 6 frames in data/ and 5 in meta/episodes",
    ]


def test_a_missing_video(zk0: Zk0, folder: Path) -> None:
    file = folder / "videos" / TOP / "chunk-000" / "file-000.mp4"
    file.unlink()
    assert only_finding(zk0, folder) == {
        "what": "video",
        "problem": f"video of episodes 0-2 is missing: {file}",
        "fix": "copy or download the dataset again",
        "episodes": [0, 1, 2],
        "error": True,
    }


def test_a_cut_video_names_the_episodes_behind_the_cut(zk0: Zk0, folder: Path) -> None:
    file = folder / "videos" / WRIST / "chunk-000" / "file-000.mp4"
    write_video(file, HEALTHY.pictures(WRIST)[:8], 10)
    found = only_finding(zk0, folder, "", "--quick")
    assert found["problem"] == f"{file} has 8 pictures, episodes 1-2 needs 18"
    assert found["episodes"] == [1, 2]


def test_a_video_of_which_bytes_are_lost(zk0: Zk0, folder: Path) -> None:
    file = folder / "videos" / TOP / "chunk-000" / "file-000.mp4"
    file.write_bytes(file.read_bytes()[:2000])
    found = only_finding(zk0, folder, "", "--quick")
    assert str(found["problem"]).startswith(f"{file} (episodes 0-2) cannot be read as a video: ")


def test_a_video_with_noise_inside_is_found_by_decoding(zk0: Zk0, folder: Path) -> None:
    file = folder / "videos" / TOP / "chunk-000" / "file-000.mp4"
    content = bytearray(file.read_bytes())
    start = content.find(b"mdat") + 1000
    content[start : start + 400] = bytes(400)
    file.write_bytes(bytes(content))
    assert zk0("data", "check", f"local:{folder}", "--quick").status == 0
    outcome = zk0("data", "check", f"local:{folder}", "--json")
    assert outcome.status == 1
    (found,) = outcome.json["findings"]
    assert str(file) in found["problem"] or TOP in found["problem"]


def test_a_video_of_another_rate_and_size(zk0: Zk0, folder: Path) -> None:
    file = folder / "videos" / TOP / "chunk-000" / "file-000.mp4"
    write_video(file, HEALTHY.pictures(TOP)[:, :32], 25)
    outcome = zk0("data", "check", f"local:{folder}", "--json")
    assert outcome.status == 1
    assert [f["problem"] for f in outcome.json["findings"]] == [
        f"{file} (episodes 0-2) has 25 pictures a second, meta/info.json says 10",
        f"{file} (episodes 0-2) is 32x64, meta/info.json says 48x64",
    ]


def test_a_camera_that_hung(zk0: Zk0, folder: Path) -> None:
    pictures = HEALTHY.pictures(TOP)
    pictures[6:11] = pictures[6]
    write_video(folder / "videos" / TOP / "chunk-000" / "file-000.mp4", pictures, 10)
    found = only_finding(zk0, folder)
    assert found["problem"] == f"{TOP} shows one picture all through episode 1, while the arm moves"
    assert (found["episodes"], found["error"]) == ([1], False)


def test_a_camera_that_hung_in_the_last_episode_that_was_chosen(zk0: Zk0, folder: Path) -> None:
    """The pictures behind it are other ones, and of an episode that nobody asked for."""
    pictures = HEALTHY.pictures(TOP)
    pictures[6:11] = pictures[6]
    write_video(folder / "videos" / TOP / "chunk-000" / "file-000.mp4", pictures, 10)
    found = only_finding(zk0, folder, "?episodes=0-1")
    assert found["problem"] == f"{TOP} shows one picture all through episode 1, while the arm moves"


def test_an_older_format_names_the_command(zk0: Zk0, tmp_path: Path) -> None:
    old = write_v21(tmp_path / "old", Recording(lengths=(2,)))
    found = only_finding(zk0, old)
    assert found["problem"] == f"{old} is in LeRobot format v2.1, zk0 reads v3.0"
    assert found["fix"] == f"convert it with `zk0 data convert {old}`"


@pytest.mark.parametrize(
    ("version", "fix"),
    [
        ("v2.0", "convert it to v2.1 with the LeRobot of its time, then with zk0"),
        ("v4.0", "upgrade zk0, or record it with LeRobot 0.4 to 0.6"),
    ],
)
def test_other_formats(zk0: Zk0, folder: Path, version: str, fix: str) -> None:
    change_info(folder, codebase_version=version)
    assert only_finding(zk0, folder)["fix"] == fix


def test_what_looks_like_radians(zk0: Zk0, tmp_path: Path) -> None:
    folder = write_v3(tmp_path / "rad", Recording(reach=1.5))
    found = only_finding(zk0, folder, "", "--quick")
    assert found["problem"] == (
        "no joint of the so101_follower goes beyond ±1.50: radians, or an arm that hardly moved"
    )
    assert found["error"] is False


def test_raw_motor_positions_and_a_joint_that_never_moves(zk0: Zk0, folder: Path) -> None:
    def spoil(rows):
        for row in rows["observation.state"]:
            row[1], row[2] = row[1] * 20, 0.5

    change_rows(folder, spoil)
    outcome = zk0("data", "check", f"local:{folder}", "--quick")
    assert outcome.status == 0
    assert "gripper.pos of observation.state never changes" in outcome.out
    assert (
        "observation.state goes beyond a full turn of 360 degrees: elbow_flex.pos 1200; these "
        "look like raw motor positions" in outcome.out
    )
    assert "elbow_flex.pos jumps by more than half a turn within a frame in" in outcome.out
    assert outcome.out.splitlines()[-1] == "ok, 3 warnings"


def test_state_and_action_in_different_order(zk0: Zk0, tmp_path: Path) -> None:
    recording = Recording(lengths=(4,), action=(JOINTS[1], JOINTS[0], JOINTS[2]))
    found = only_finding(zk0, write_v3(tmp_path / "mixed", recording), "", "--quick")
    assert found["problem"] == (
        "observation.state and action have the same joints in different order"
    )


def test_a_folder_that_is_not_there_is_a_finding(zk0: Zk0) -> None:
    outcome = zk0("data", "check", "local:/nowhere", "--json")
    assert outcome.status == 1
    (finding,) = outcome.json["findings"]
    assert (finding["problem"], finding["fix"]) == ("no folder /nowhere", "check the path")


TABLES = (
    "data/chunk-000/file-000.parquet",
    "meta/episodes/chunk-000/file-000.parquet",
    "meta/tasks.parquet",
)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_was_not_copied_whole(zk0: Zk0, folder: Path, name: str) -> None:
    """Such as one that is still a pointer of Git LFS."""
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    finding = only_finding(zk0, folder)
    assert str(finding["problem"]).startswith(f"{folder}/{name} cannot be read: Parquet magic")
    assert finding["fix"] == "copy or download the dataset again"


def test_tasks_that_were_not_copied(zk0: Zk0, folder: Path) -> None:
    (folder / "meta/tasks.parquet").unlink()
    finding = only_finding(zk0, folder)
    assert str(finding["problem"]).startswith(f"{folder}/meta/tasks.parquet cannot be read: ")


@pytest.mark.parametrize(
    ("name", "column"),
    [(TABLES[0], "timestamp"), (TABLES[1], "length"), (TABLES[2], "task_index")],
)
def test_a_table_without_a_column(zk0: Zk0, folder: Path, name: str, column: str) -> None:
    table = pq.ParquetFile(folder / name).read()
    pq.write_table(table.drop_columns([column]), folder / name)
    assert only_finding(zk0, folder)["problem"] == f"{folder}/{name} has no column {column}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"codebase_version": "v3.0", ', "cannot be read: Expecting property name"),
        ("[]", "cannot be read: it is no table"),
        ('{"codebase_version": "v3.0", "fps": 10}', "has no features, total_frames"),
    ],
)
def test_information_that_is_damaged(zk0: Zk0, folder: Path, text: str, problem: str) -> None:
    (folder / "meta/info.json").write_text(text)
    finding = only_finding(zk0, folder)
    assert str(finding["problem"]).startswith(f"{folder}/meta/info.json {problem}")
    assert finding["fix"] == "copy or download the dataset again"


def test_a_wrong_address_is_a_wrong_command(zk0: Zk0) -> None:
    outcome = zk0("data", "check", "/data/desk")
    assert outcome.status == 2
    assert "write SCHEME:PLACE such as local:/data/desk" in outcome.error


def test_everything_that_is_wrong_is_said_at_once(zk0: Zk0, folder: Path) -> None:
    for camera in (TOP, WRIST):
        (folder / "videos" / camera / "chunk-000" / "file-000.mp4").unlink()
    outcome = zk0("data", "check", f"local:{folder}")
    assert outcome.out.count("is missing") == 2
    assert outcome.out.splitlines()[-1] == "2 errors: not fit to train on"


def test_videos_that_were_written_are_read_whole(healthy: Path) -> None:
    """What the tests write is what they think it is: 18 pictures at 10 a second."""
    with av.open(str(healthy / "videos" / TOP / "chunk-000" / "file-000.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == 10
        assert sum(1 for _ in container.decode(stream)) == 18
