"""Datasets joined by " + ": frames, statistics, pictures and batches are those of the parts."""

import copy
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

from zk0_core.data import evaluation_episodes, training_episodes
from zk0_core.errors import DataError
from zk0_core.joined import joined
from zk0_core.lerobot.cached_source import CachedSource
from zk0_core.lerobot.rows import Rows
from zk0_core.lerobot.stats import episode_sums, pool
from zk0_core.parts import open_dataset

TOP, WRIST = "observation.images.top", "observation.images.wrist"


@pytest.fixture(scope="module")
def halves(folder: Path):
    """The dataset of 3 episodes as two: episodes 0 and 2, the last held out, and episode 1.

    Tasks have sentences of two lengths: prefixes of the second half have more tokens.
    """
    uris = [f"local:{folder}?eval_episodes=1&partition=0/2", f"local:{folder}?partition=1/2"]
    return [open_dataset(uri) for uri in uris], open_dataset(" + ".join(uris))


def test_episodes_go_on_and_those_held_out_come_last(halves, dataset) -> None:
    (first, second), both = halves
    # All parts have the 41 frames of the folder, of which each uses its own episodes.
    assert [(e.index, e.start, e.stop) for e in both.episodes] == [
        (0, 0, 12),
        (2, 41 + 12, 41 + 21),
        (1, 21, 41),
    ]
    assert both.held_out == 1
    assert [e.hash for e in evaluation_episodes(both)] == [first.episodes[1].hash]
    assert both.state.shape == both.action.shape == (82, 6)
    for episode in both.episodes:
        (same,) = [e for e in dataset.episodes if e.hash == episode.hash]
        np.testing.assert_array_equal(
            both.action[episode.start : episode.stop], dataset.action[same.start : same.stop]
        )
        assert episode.task == same.task
    assert both.schema.tasks == (first.episodes[0].task, second.episodes[0].task)
    assert both.uri == f"{first.uri} + {second.uri}"


def test_sums_are_the_pooled_sums(halves) -> None:
    parts, both = halves
    whole = episode_sums(both, training_episodes(both))
    pooled = pool([episode_sums(part, training_episodes(part)) for part in parts])
    for name, sums in whole.items():
        assert sums.count == pooled[name].count == 12 + 9
        np.testing.assert_allclose(sums.mean, pooled[name].mean, rtol=1e-6)
        np.testing.assert_allclose(sums.m2, pooled[name].m2, rtol=1e-6)
        assert (sums.min, sums.max) == (pooled[name].min, pooled[name].max)


def test_pictures_follow_each_other(halves) -> None:
    parts, both = halves
    expected = [picture for part in parts for picture in part.frames(TOP)]
    pictures = list(both.frames(TOP))
    assert len(pictures) == len(both.state)
    np.testing.assert_array_equal(pictures, expected)


def test_fingerprints(halves, dataset) -> None:
    parts, both = halves
    assert both.fingerprint not in {part.fingerprint for part in parts}
    assert joined(parts).fingerprint == both.fingerprint
    assert joined([dataset]) is dataset


def indices(dataset) -> list[int]:
    return [episode.index for episode in training_episodes(dataset)]


def test_batches_are_those_of_the_parts_and_caches_are_shared(halves, policy, monkeypatch) -> None:
    parts, both = halves
    one, two = (policy.source(part, indices(part)) for part in parts)

    def forbidden(*_: object) -> None:
        raise AssertionError("a prefix was computed again")

    monkeypatch.setattr("zk0_core.lerobot.prefix_cache._compute", forbidden)
    source = policy.source(both, indices(both))
    assert isinstance(source, CachedSource)
    assert len(source) == len(one) + len(two) == 12 + 9
    batch = source.batch([3, 12 + 5])
    for row, (part, index) in enumerate(((one, 3), (two, 5))):
        own = part.batch([index])
        tokens = own["prefix"].shape[3]
        torch.testing.assert_close(batch["prefix"][row, :, :, :tokens], own["prefix"][0])
        assert not batch["prefix"][row, :, :, tokens:].any()
        mask = batch["mask"][row]
        assert bool(mask[:tokens].all()) and not bool(mask[tokens:].any())
        for name in ("state", "actions"):
            torch.testing.assert_close(batch[name][row], own[name][0], rtol=0, atol=0)
    # Of chunks of 16 steps, 12 − 3 are within the first episode, and 9 − 5 within the second.
    assert batch["steps"].tolist() == [*range(9), *range(16, 20)]
    assert two.batch([0])["prefix"].shape[3] > one.batch([0])["prefix"].shape[3]


def test_batches_from_pictures(halves, policy) -> None:
    parts, both = halves
    one, two = (policy.picture_source(part, indices(part)) for part in parts)
    batch = policy.picture_source(both, indices(both)).batch([3, 12 + 5])
    for row, (part, index) in enumerate(((one, 3), (two, 5))):
        own = part.batch([index])
        for name in ("observation.state", "action", "action_is_pad", TOP, WRIST):
            torch.testing.assert_close(batch[name][row], own[name][0], rtol=0, atol=0)


def test_the_loss_from_prefixes_of_two_lengths_is_that_from_pictures(halves, policy) -> None:
    _, both = halves
    which = [0, 5, 12, 20]
    losses = [
        policy.loss(source.batch(which), torch.Generator().manual_seed(1)).item()
        for source in (
            policy.source(both, indices(both)),
            policy.picture_source(both, indices(both)),
        )
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_rows_by_hand() -> None:
    rows = Rows([np.array([[1, 2], [3, 4]]), np.array([[5, 6, 7]])])
    assert len(rows) == 3
    np.testing.assert_array_equal(rows[np.array([2, 0, 2])], [[5, 6, 7], [1, 2, 0], [5, 6, 7]])


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        (
            {"cameras": {TOP: (48, 64, 3)}},
            f"differ in cameras: {TOP} 96x96, {WRIST} 96x96 against {TOP} 48x64",
        ),
        (
            {"action": ("x", "y")},
            "differ in action: pan.pos, lift.pos, elbow.pos, flex.pos, roll.pos, gripper.pos "
            "against x, y",
        ),
        ({"fps": 30}, "differ in fps: 10 against 30"),
    ],
)
def test_parts_that_differ_are_refused(dataset, change, differ) -> None:
    other = copy.copy(dataset)
    other.uri, other.schema = "local:/other", attrs.evolve(dataset.schema, **change)
    with pytest.raises(DataError) as refused:
        joined([dataset, other])
    assert str(refused.value) == (
        f"{dataset.uri} and local:/other cannot be joined, they {differ}; "
        "join datasets of one robot, or rename"
    )


def test_a_recording_twice_is_refused(folder) -> None:
    with pytest.raises(DataError) as refused:
        open_dataset(f"local:{folder}?partition=0/2 + local:{folder}?eval_episodes=1&partition=2/3")
    assert str(refused.value) == (
        f"episode 2 of local:{folder}?eval_episodes=1&partition=2/3 is also episode 2 of "
        f"local:{folder}?partition=0/2; join each recording once only"
    )


def test_a_rename_map_holds_for_every_part(folder) -> None:
    rename = {TOP: "observation.images.up"}
    both = open_dataset(f"local:{folder}?partition=0/2 + local:{folder}?partition=1/2", rename)
    assert sorted(both.schema.cameras) == ["observation.images.up", WRIST]
    assert len(list(both.frames("observation.images.up"))) == len(both.state)


def test_every_part_is_prepared_before_a_run() -> None:
    from zk0_core.cache import cache_folder
    from zk0_core.registry import Registry
    from zk0_core.resolve import resolve_plan
    from zk0_core.run import prepare_datasets
    from zk0_core.runfile import settings_from_toml

    uri = "sim:lift?region=mid-left&episodes=1 + sim:lift?region=mid-right&episodes=1"
    text = f'[policy]\nname = "smolvla-tiny"\n[[clients]]\ndataset = "{uri}"\n'
    plan = resolve_plan(settings_from_toml(text, "run.toml"), Registry.discover())
    prepare_datasets(plan, 1, None)
    recordings = {path.name for path in cache_folder("sim").glob("*/*")}
    assert {"lift-mid-left-train-1-seed0", "lift-mid-right-train-1-seed0"} <= recordings
