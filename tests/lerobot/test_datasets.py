import json
import shutil
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from zk0_core.builtin.loader_local import LocalLoader
from zk0_core.data import evaluation_episodes, training_episodes
from zk0_core.errors import DataError
from zk0_core.lerobot.frames import frame_memmap, resized

TOP = "observation.images.top"


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def change_info(folder: Path, **values) -> None:
    file = folder / "meta" / "info.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def opened(folder: Path, query: str = ""):
    return LocalLoader().open(f"local:{folder}{query}")


def test_schema_and_episodes(dataset):
    assert dataset.schema.cameras == {
        TOP: (96, 96, 3),
        "observation.images.wrist": (96, 96, 3),
    }
    assert dataset.schema.state[0] == "pan.pos"
    assert (dataset.schema.fps, dataset.schema.format) == (10, "LeRobot v3.0")
    assert dataset.schema.robot == "so101_follower"
    assert [(e.start, e.stop) for e in dataset.episodes] == [(0, 12), (12, 21), (21, 41)]
    assert dataset.episodes[0].task != dataset.episodes[1].task
    assert dataset.episodes[0].task == dataset.episodes[2].task
    assert len({e.hash for e in dataset.episodes}) == 3
    assert dataset.state.shape == dataset.action.shape == (41, 6)


def test_agrees_with_lerobot(folder, dataset):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    theirs = LeRobotDataset("local/test", root=folder, video_backend="pyav", return_uint8=True)
    pictures = frame_memmap(dataset, TOP)
    for index in (0, 11, 12, 40):
        frame = theirs[index]
        np.testing.assert_array_equal(frame["action"].numpy(), dataset.action[index])
        np.testing.assert_array_equal(frame[TOP].numpy(), pictures[index])


def test_memmap_equals_decoding(folder, dataset):
    (video,) = sorted((folder / "videos" / TOP).rglob("*.mp4"))
    with av.open(str(video)) as container:
        decoded = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    pictures = frame_memmap(dataset, TOP)
    assert pictures.shape == (41, 3, 96, 96)
    np.testing.assert_array_equal(pictures, np.stack(decoded).transpose(0, 3, 1, 2))


def test_resizing_is_smolvlas(dataset):
    import torch
    from lerobot.policies.common.vla_utils import resize_with_pad

    wide = np.random.default_rng(0).integers(0, 256, (2, 3, 48, 64), dtype=np.uint8)
    small = resized(wide, (32, 32))
    theirs = resize_with_pad(torch.from_numpy(wide) / 255, 32, 32, pad_value=0)
    assert small.shape == (2, 3, 32, 32)
    np.testing.assert_allclose(small / 255, theirs.numpy(), atol=0.5 / 255 + 1e-6)
    # A picture wider than high is padded above: 32 / 64 x 48 = 24 rows of it.
    assert not small[:, :, :8].any()
    assert small[:, :, 8:].any()


def test_frames_are_kept_by_size(dataset):
    assert frame_memmap(dataset, TOP, (32, 48)).shape == (41, 3, 32, 48)
    assert frame_memmap(dataset, TOP).shape == (41, 3, 96, 96)


def test_frames_that_were_removed_by_hand(dataset):
    size = (16, 24)
    file = Path(str(frame_memmap(dataset, TOP, size).filename))
    file.unlink()
    with pytest.raises(DataError, match=f"in {file.parent} are gone.*; remove it, and they are"):
        frame_memmap(dataset, TOP, size)
    file.parent.rmdir()
    assert frame_memmap(dataset, TOP, size).shape == (41, 3, *size)


def test_held_out_and_partition(folder):
    part = opened(folder, "?eval_episodes=1&partition=0/2")
    assert [e.index for e in part.episodes] == [0, 2]
    assert [e.index for e in training_episodes(part)] == [0]
    assert [e.index for e in evaluation_episodes(part)] == [2]
    assert len(part.schema.tasks) == 1
    # Partitions are disjoint and leave nothing out.
    other = opened(folder, "?partition=1/2")
    assert sorted(e.index for e in [*part.episodes, *other.episodes]) == [0, 1, 2]


def test_chosen_episodes(folder):
    assert [e.index for e in opened(folder, "?episodes=0,2").episodes] == [0, 2]
    assert [e.index for e in opened(folder, "?episodes=1-2").episodes] == [1, 2]
    # A partition of those that are chosen; what is held out are the last of what is left.
    part = opened(folder, "?episodes=0-1&partition=0/1&eval_episodes=1")
    assert [e.index for e in training_episodes(part)] == [0]
    assert [e.index for e in evaluation_episodes(part)] == [1]


def test_other_names_by_the_address(folder):
    both = opened(folder, f"?rename={TOP}:observation.images.up,pan.pos:turn")
    assert sorted(both.schema.cameras) == ["observation.images.up", "observation.images.wrist"]
    assert both.schema.state[0] == both.schema.action[0] == "turn"
    assert next(both.frames("observation.images.up")).shape == (96, 96, 3)


def test_fingerprint_follows_the_content(folder, tmp_path):
    copy = copied(folder, tmp_path)
    assert opened(copy).fingerprint == opened(folder).fingerprint
    video = next((copy / "videos").rglob("*.mp4"))
    video.write_bytes(video.read_bytes() + b"\0")
    assert opened(copy).fingerprint != opened(folder).fingerprint


def test_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"local:/nowhere: no folder /nowhere; check the path"):
        LocalLoader().open("local:/nowhere")


def test_no_dataset(tmp_path):
    with pytest.raises(DataError, match=r"is no LeRobot dataset: meta/info\.json is missing"):
        opened(tmp_path)


def test_old_version_names_the_command(folder, tmp_path):
    copy = copied(folder, tmp_path)
    change_info(copy, codebase_version="v2.1")
    with pytest.raises(DataError, match=rf"v2\.1.*convert it with `zk0 data convert {copy}`"):
        opened(copy)


def test_newer_version(folder, tmp_path):
    copy = copied(folder, tmp_path)
    change_info(copy, codebase_version="v4.0")
    with pytest.raises(DataError, match=r"in LeRobot format v4\.0, zk0 reads v3\.0"):
        opened(copy)


def test_no_state(folder, tmp_path):
    copy = copied(folder, tmp_path)
    features = json.loads((copy / "meta" / "info.json").read_text())["features"]
    del features["observation.state"]
    change_info(copy, features=features)
    with pytest.raises(
        DataError,
        match=r"no feature 'observation\.state', which every policy needs; it has action, "
        r"observation\.images\.top, observation\.images\.wrist; record it",
    ):
        opened(copy)


def test_doubled_frames(folder, tmp_path):
    copy = copied(folder, tmp_path)
    shutil.copy(
        copy / "data" / "chunk-000" / "file-000.parquet",
        copy / "data" / "chunk-000" / "episode_000000.parquet",
    )
    with pytest.raises(DataError, match=r"holds 82 frames but .* says 41: frames are there twice"):
        opened(copy)


def test_missing_frames(folder, tmp_path):
    copy = copied(folder, tmp_path)
    change_info(copy, total_frames=50)
    with pytest.raises(DataError, match=r"holds 41 frames but meta/info\.json says 50"):
        opened(copy)


def test_nan_names_the_episode(folder, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    copy = copied(folder, tmp_path)
    file = copy / "data" / "chunk-000" / "file-000.parquet"
    rows = pq.ParquetFile(file).read()
    states = rows["observation.state"].to_pylist()
    states[15][2] = float("nan")
    column = rows.schema.get_field_index("observation.state")
    field = rows.schema.field("observation.state")
    pq.write_table(rows.set_column(column, field, pa.array(states, field.type)), file)
    with pytest.raises(DataError, match="episode 1 holds a NaN or infinite state or action"):
        opened(copy)


def test_missing_video_names_the_episode(folder, tmp_path):
    copy = copied(folder, tmp_path)
    next((copy / "videos" / TOP).rglob("*.mp4")).unlink()
    with pytest.raises(DataError, match=r"video of episode 0 is missing: .*\.mp4"):
        next(opened(copy).frames(TOP))


def test_broken_video(folder, tmp_path):
    copy = copied(folder, tmp_path)
    next((copy / "videos" / TOP).rglob("*.mp4")).write_bytes(b"no video at all")
    with pytest.raises(DataError, match=r"\.mp4 \(episode 0\) cannot be decoded"):
        next(opened(copy).frames(TOP))


def test_short_video_names_the_episode(folder, tmp_path):
    copy = copied(folder, tmp_path)
    place = next((copy / "videos" / TOP).rglob("*.mp4"))
    short = tmp_path / "short.mp4"
    with av.open(str(place)) as source, av.open(str(short), "w") as target:
        stream = target.add_stream("h264", rate=10)
        stream.width = stream.height = 96
        for frame, _ in zip(source.decode(video=0), range(15), strict=False):
            frame.pts = None
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    short.replace(place)
    with pytest.raises(DataError, match="has 15 pictures, episode 1 needs 21"):
        list(opened(copy).frames(TOP))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "?eval_episode=5",
            "unknown option 'eval_episode'; choose from eval_episodes, partition, episodes, "
            "fps, rename; did you mean 'eval_episodes'?",
        ),
        ("?eval_episodes=x", "eval_episodes=x is not a whole number; write eval_episodes=10"),
        ("?eval_episodes=9", "eval_episodes=9 is out of range; it has 3 episodes, choose 0 to 3"),
        ("?eval_episodes=-1", "eval_episodes=-1 is out of range"),
        (
            "?partition=2/2",
            "partition must be i/N with 0 ≤ i < N, such as partition=0/4; got '2/2'",
        ),
        ("?partition=7/9", "no episode is chosen; it has episodes 0-2"),
        ("?episodes=5-9", "no episode is chosen; it has episodes 0-2"),
        (
            "?episodes=one",
            "episodes must be numbers and ranges, such as episodes=0-39 or episodes=0-9,12; "
            "got 'one'",
        ),
        ("?episodes=2-0", "episodes must be ranges that go up, such as episodes=0-2; got '2-0'"),
        (
            "?rename=top",
            "rename must be old:new, and more after commas, such as "
            "rename=observation.images.side:observation.images.top; got 'top'",
        ),
        ("?rename=a:b", "rename of .*: it has no camera or joint 'a'; choose from observation"),
    ],
)
def test_bad_addresses(folder, query, message):
    with pytest.raises(DataError, match=message):
        opened(folder, query)


@pytest.mark.parametrize(("asked", "last"), [("0-39", 39), ("1-3", 3), ("7,0-1", 7)])
def test_episodes_that_are_not_there(folder, asked, last):
    with pytest.raises(DataError) as refused:
        opened(folder, f"?episodes={asked}")
    address = f"local:{folder}?episodes={asked}"
    assert str(refused.value) == (
        f"{address}: episodes={asked} asks for episode {last}; it has 3 episodes, 0-2: choose from "
        "those"
    )


def test_episodes_touch(dataset):
    assert all(a.stop == b.start for a, b in pairwise(dataset.episodes))
