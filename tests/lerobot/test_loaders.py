import pytest

from zk0_core.builtin.loader_hf import HubLoader
from zk0_core.builtin.loader_sim import SimLoader
from zk0_core.data import evaluation_episodes, training_episodes
from zk0_core.errors import DataError


def test_sim_demonstrations_are_a_dataset():
    told: list[str] = []
    loader = SimLoader()
    uris = [f"sim:lift?region=left&episodes=2{split}" for split in ("", "&split=eval")]
    loader.prepare(uris, 1, lambda what, done, total: told.append(what))
    assert told
    train, held_out = (loader.open(uri) for uri in uris)
    assert len(training_episodes(train)) == 2
    assert not evaluation_episodes(train)
    assert len(evaluation_episodes(held_out)) == 2
    assert not {e.hash for e in train.episodes} & {e.hash for e in held_out.episodes}
    assert train.schema.fps == 10
    assert sum(1 for _ in train.frames("observation.images.top")) == len(train.state)


def test_sim_address_errors():
    with pytest.raises(DataError, match="unknown region"):
        SimLoader().open("sim:lift?region=nowhere")


def test_hub_offline(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        DataError,
        match=r"hf:nobody/nothing: the Hub cannot be reached and no copy is here; "
        r"go online, or give a copy as local:/path",
    ):
        HubLoader().open("hf:nobody/nothing")


def test_hub_name():
    with pytest.raises(DataError, match="'a/b/c' is no Hub name; write hf:owner/name"):
        HubLoader().open("hf:a/b/c")


def test_a_recording_is_shared_out() -> None:
    """Of three demonstrations one client trains on the first, and the last is held out."""
    whole = SimLoader().open("sim:lift?region=right&episodes=3")
    part = SimLoader().open(
        "sim:lift?region=right&episodes=3&partition=0/2&eval_episodes=1"
        "&rename=observation.images.top:observation.images.front"
    )
    assert [episode.hash for episode in part.episodes] == [
        whole.episodes[0].hash,
        whole.episodes[2].hash,
    ]
    assert part.held_out == 1
    assert list(part.schema.cameras) == ["observation.images.front", "observation.images.wrist"]
