"""Datasets of the Hub, from a server on this machine that speaks its API."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Zk0
from hub_server import COMMIT, Hub, go_online, hub
from recordings import TOP, WRIST, Recording, write_v3

from tests.logs import caught
from zk0_core.addresses import Address
from zk0_core.errors import DataError, Zk0Error
from zk0_core.lerobot.hub import downloaded, forget_downloads

TOP_VIDEO, WRIST_VIDEO = (f"videos/{camera}/chunk-000/file-000.mp4" for camera in (TOP, WRIST))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with one file that is longer than what the Hub's client writes at once."""
    folder = write_v3(tmp_path_factory.mktemp("served") / "desk", Recording())
    with (folder / TOP_VIDEO).open("ab") as video:
        # A box of a kind that players leap over.
        video.write((12_000_008).to_bytes(4) + b"free" + bytes(range(250)) * 48_000)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Hub]:
    with hub(folder) as running:
        yield running


@pytest.fixture
def home(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache of a machine that knows no other Hub than the server."""
    go_online(monkeypatch, server, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    with caught(level="WARNING") as lines:
        yield lines


def go_offline(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def snapshot(home: Path) -> Path:
    return home / "datasets--owner--desk" / "snapshots" / COMMIT


def problems(zk0: Zk0, *addresses: str) -> list[str]:
    outcome = zk0("data", "check", *addresses, "--quick", "--json")
    assert outcome.status == 1
    return [f"{finding['problem']}; {finding['fix']}" for finding in outcome.json["findings"]]


def test_the_command_goes_where_the_environment_says(server: Hub, tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "zk0", "data", "check", "hf:owner/desk@v3.0", "--json"],
        env={
            **os.environ,
            "HF_ENDPOINT": server.endpoint,
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["datasets"][0]["frames"] == 18
    assert sorted(name for name, _ in server.sent) == sorted(server.files)


def test_it_is_downloaded_once_and_opened_offline(
    zk0: Zk0, server: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = zk0("data", "check", "hf:owner/desk?eval_episodes=1", "--quick", "--json")
    (dataset,) = outcome.json["datasets"]
    assert (dataset["episodes"], dataset["held_out"], dataset["frames"]) == (3, 1, 18)
    assert sorted(name for name, _ in server.sent) == sorted(server.files)
    assert set(server.resolved) == {"v3.0"}

    server.sent.clear()
    forget_downloads()
    assert zk0("data", "check", "hf:owner/desk", "--quick").status == 0
    forget_downloads()
    go_offline(monkeypatch)
    assert zk0("data", "check", "hf:owner/desk", "--quick").status == 0
    assert server.sent == []


def test_a_download_that_breaks_goes_on_in_the_middle_of_the_file(
    zk0: Zk0, server: Hub, home: Path
) -> None:
    server.break_after[TOP_VIDEO] = 11_000_000
    assert zk0("data", "check", "hf:owner/desk", "--quick").status == 0
    first, second = (asked for name, asked in server.sent if name == TOP_VIDEO)
    # Of the 11 MB that came, what was written: whole pieces of 10 MiB.
    assert (first, second) == ("", "bytes=10485760-")
    assert (snapshot(home) / TOP_VIDEO).read_bytes() == server.files[TOP_VIDEO]


def test_a_download_that_failed_keeps_the_files_that_came(
    zk0: Zk0, server: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.forbidden.add(WRIST_VIDEO)
    outcome = zk0("data", "check", "hf:owner/desk")
    assert outcome.status == 1
    assert outcome.error.splitlines()[-1] == (
        "Error: hf:owner/desk: the Hub answered with status 403; try again later"
    )
    with monkeypatch.context() as patch:
        go_offline(patch)
        assert problems(zk0, "hf:owner/desk") == [
            "the Hub cannot be reached and only a part of it is here; "
            "go online and try again: files that are here are kept"
        ]
    came = {name for name, _ in server.sent}
    assert "meta/info.json" in came

    server.sent.clear()
    server.forbidden.clear()
    assert zk0("data", "check", "hf:owner/desk", "--quick").status == 0
    assert {name for name, _ in server.sent} == set(server.files) - came


def test_offline_without_a_copy_one_line_says_what_to_do(
    zk0: Zk0, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_offline(monkeypatch)
    assert problems(zk0, "hf:owner/desk") == [
        "the Hub cannot be reached and no copy is here; go online, or give a copy as local:/path"
    ]


def test_what_the_hub_does_not_give(zk0: Zk0, home: Path) -> None:
    assert problems(zk0, "hf:owner/nothing", "hf:owner/desk@v9", "hf:owner/gated", "hf:a/b/c") == [
        "the Hub has no dataset 'owner/nothing' that you may read; "
        "check the name, or set HF_TOKEN for a private one",
        "owner/desk has no revision 'v9'; check its name",
        "owner/gated asks for consent first; give it on "
        "https://huggingface.co/datasets/owner/gated and set HF_TOKEN",
        "'a/b/c' is no Hub name; write hf:owner/name",
    ]


def test_the_token_may_be_in_a_file(
    server: Hub, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The secrets of a run may be in `.env`; the Hub's client knows the environment alone."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)
    server.readers = {"hf_mine"}
    gated = Address.parse("hf:owner/gated")
    with pytest.raises(DataError, match="asks for consent first"):
        downloaded(gated)
    (tmp_path / ".env").write_text("HF_TOKEN=hf_mine\n")
    assert (downloaded(gated) / "meta" / "info.json").is_file()


@pytest.mark.parametrize(
    ("tags", "taken"),
    [
        (["v2.1", "v3.0"], "v3.0"),
        (["v2.0", "v2.1"], "v2.1"),
        (["v3.0", "v3.1", "v4.0", "latest", "v1.0rc1"], "v3.0"),
        (["v2.9", "2.10"], "2.10"),
    ],
)
def test_without_a_revision_it_is_that_of_the_format(
    server: Hub, home: Path, tags: list[str], taken: str
) -> None:
    server.tags = tags
    downloaded(Address.parse("hf:owner/desk"))
    assert set(server.resolved) == {taken}
    server.resolved.clear()
    downloaded(Address.parse("hf:owner/desk@main"))
    assert set(server.resolved) == {"main"}


def test_it_is_the_revision_that_lerobot_takes(server: Hub, home: Path) -> None:
    from lerobot.datasets.dataset_metadata import CODEBASE_VERSION
    from lerobot.datasets.utils import get_safe_version

    for tags in (["v2.1", "v3.0"], ["v3.0", "v3.1", "v4.0"]):
        server.tags = tags
        server.resolved.clear()
        forget_downloads()
        downloaded(Address.parse("hf:owner/desk"))
        assert set(server.resolved) == {get_safe_version("owner/desk", CODEBASE_VERSION)}


def test_the_revision_is_found_again_offline(
    server: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an older one, or main, is here too; and what older versions of zk0 took."""
    for revision in ("main", "v2.1"):
        server.tags = ["v2.1"]
        downloaded(Address.parse(f"hf:owner/desk@{revision}"))
        with monkeypatch.context() as patch:
            go_offline(patch)
            forget_downloads()
            assert downloaded(Address.parse("hf:owner/desk")) == snapshot(home)
    server.tags = ["v2.1", "v3.0"]
    forget_downloads()
    downloaded(Address.parse("hf:owner/desk"))
    # Each of its files would be missed, were it another revision's.
    (home / "datasets--owner--desk" / "refs" / "v2.1").write_text("0" * 40)
    (home / "datasets--owner--desk" / "refs" / "main").write_text("0" * 40)
    go_offline(monkeypatch)
    forget_downloads()
    assert downloaded(Address.parse("hf:owner/desk")) == snapshot(home)


def test_a_process_asks_once_for_a_dataset(server: Hub, home: Path) -> None:
    address = Address.parse("hf:owner/desk")
    first = downloaded(address)
    asked = server.asked
    assert downloaded(Address.parse("hf:owner/desk?episodes=0")) == first
    assert server.asked == asked


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("place", ["owner/desk", "owner/desk@v3.0", "owner/desk@main"])
def test_a_whole_copy_serves_where_the_hub_is_busy(
    server: Hub, home: Path, place: str, status: int, warnings: list[str]
) -> None:
    address = Address.parse(f"hf:{place}")
    downloaded(address)
    forget_downloads()
    server.status = status
    assert downloaded(address) == snapshot(home)
    assert warnings == [
        f"hf:{place}: the Hub answered with status {status}; the copy that is here is taken"
    ]


@pytest.mark.parametrize("place", ["owner/desk", "owner/desk@v3.0"])
def test_a_whole_copy_serves_where_nobody_answers(
    server: Hub, home: Path, place: str, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cache is the same, whoever it came from."""
    downloaded(Address.parse(f"hf:{place}"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert downloaded(Address.parse(f"hf:{place}")) == snapshot(home)
    assert warnings == [f"hf:{place}: the Hub cannot be reached; the copy that is here is taken"]


@pytest.mark.parametrize("place", ["owner/desk", "owner/desk@v3.0"])
def test_half_a_copy_does_not_serve(server: Hub, home: Path, place: str) -> None:
    """Nor does main, where there is no copy of what is wanted."""
    server.forbidden.add(WRIST_VIDEO)
    with pytest.raises(Zk0Error):
        downloaded(Address.parse(f"hf:{place}"))
    server.status = 503
    with pytest.raises(Zk0Error) as refused:
        downloaded(Address.parse(f"hf:{place}"))
    assert str(refused.value) == (f"hf:{place}: the Hub answered with status 503; try again later")


def test_what_has_no_readable_version(zk0: Zk0, server: Hub, home: Path) -> None:
    server.tags = ["stable"]
    assert problems(zk0, "hf:owner/desk") == [
        "owner/desk has no tag with a version of LeRobot's format; write which revision to take, "
        "such as hf:owner/desk@main"
    ]
    server.tags = ["v4.1", "v4.0"]
    assert problems(zk0, "hf:owner/desk") == [
        "owner/desk is in LeRobot's format v4.0 or newer only, and zk0 reads v3.0; use a newer zk0"
    ]
    assert server.sent == []
