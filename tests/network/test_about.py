"""What the admin learns of a node's dataset."""

from pathlib import Path

import pytest

from zk0_core.errors import UsageError
from zk0_core.federation.about import in_words, keep, signed, summary_of
from zk0_core.federation.certificates import ensure_node_key, load_node_key, public_key_bytes
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import DatasetSummary

SUMMARY = DatasetSummary(kind="local", episodes=50, frames=11200)


class Owner:
    """Somebody with a node key."""

    def __init__(self, path: Path) -> None:
        self.public = public_key_bytes(ensure_node_key(path))
        self.private = load_node_key(path)


@pytest.fixture
def server(tmp_path: Path) -> ServerFolder:
    return ServerFolder(tmp_path / "server")


@pytest.fixture
def left(tmp_path: Path) -> Owner:
    return Owner(tmp_path / "left.key")


@pytest.fixture
def other(tmp_path: Path) -> Owner:
    return Owner(tmp_path / "other.key")


def test_what_a_node_says_is_kept(server: ServerFolder, left: Owner) -> None:
    assert summary_of(server, "left", left.public) is None
    keep(server, "left", left.public, signed(SUMMARY, left.private))
    kept = summary_of(server, "left", left.public)
    assert in_words(kept) == "local, 50 episodes, 11200 frames"
    named = DatasetSummary(kind="hf", episodes=5, frames=60, name="hf:arms/left")
    keep(server, "left", left.public, signed(named, left.private))
    assert in_words(summary_of(server, "left", left.public)) == (
        "hf:arms/left, 5 episodes, 60 frames"
    )


def test_nobody_else_says_it_in_its_name(server: ServerFolder, left: Owner, other: Owner) -> None:
    forged = signed(SUMMARY, other.private)
    changed = signed(SUMMARY, left.private)
    changed["dataset"]["episodes"] = 51
    unsigned = {"dataset": changed["dataset"]}
    malformed = signed(SUMMARY, left.private) | {"signature": "no base 64"}
    for sent in (forged, changed, unsigned, malformed):
        with pytest.raises(UsageError) as refused:
            keep(server, "left", left.public, sent)
        assert str(refused.value) == (
            "what this node says of its dataset is not signed with its key, or malformed; "
            "install the same version of zk0 on both"
        )
    assert summary_of(server, "left", left.public) is None


def test_a_name_that_another_node_has_now(server: ServerFolder, left: Owner, other: Owner) -> None:
    keep(server, "left", left.public, signed(SUMMARY, left.private))
    assert summary_of(server, "left", other.public) is None
    assert in_words(None) == ""
