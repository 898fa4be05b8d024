"""The dashboard of a federation: its runs, also those that have not begun, and its nodes."""

import re
from pathlib import Path

import httpx
import pytest

from tests.command import Zk0
from tests.dashboard.serving import served
from tests.run_folders import WriteRun
from zk0_core.dashboard.sources import ServedFederation
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import ServerSettings, write
from zk0_core.federation.runs import Runs
from zk0_core.testing import examples


@pytest.fixture
def folder(tmp_path: Path) -> ServerFolder:
    """A federation whose server was started once, and has ended."""
    folder = ServerFolder(tmp_path / "federations" / "arms" / "server")
    write(folder.settings, ServerSettings())
    return folder


def pages(folder: ServerFolder, *paths: str) -> list[str]:
    with served(ServedFederation(folder)) as address:
        return [httpx.get(address + path, timeout=None).text for path in paths]


def rows(page: str) -> list[str]:
    found = re.findall(r"<tr><th scope=\"row\">.*</tr>", page)
    return [re.sub(r"(<[^>]*>)+", "|", row) for row in found]


def test_a_federation_without_runs(folder: ServerFolder) -> None:
    (page,) = pages(folder, "/")
    assert "<h1>Federation arms</h1>" in page
    assert "None yet; <code>zk0 run --federation NAME</code> submits one." in page
    assert "the server does not run, so that nobody knows; zk0 server start --name arms" in page


def test_runs_are_there_from_their_submission_on(folder: ServerFolder, write_run: WriteRun) -> None:
    runs = Runs(folder)
    done = runs.submit(examples.plan(), write_run())
    queued = runs.submit(examples.plan())
    runs.change(done, state="done")
    runs.change(queued, reason="it waits for 2 more nodes")
    page, waiting, state = pages(folder, "/", f"/runs/{queued.name}/", f"/runs/{queued.name}/state")
    assert rows(page) == [
        f"|{queued.name}|–|–|–|queued: it waits for 2 more nodes|",
        f"|{done.name}|2 of 2|70 %|0.500|done|",
    ]
    assert f"<h1>{queued.name}</h1>" in waiting and "all runs" in waiting
    assert '"text":"queued: it waits for 2 more nodes"' in state


def test_what_is_no_federation(zk0: Zk0, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZK0_HOME", str(tmp_path))
    shown = zk0("dashboard", "--federation", "arms")
    assert (shown.status, shown.error) == (
        2,
        "Error: federation 'arms' has no server here; zk0 server start makes one\n",
    )
    shown = zk0("dashboard", "outputs", "--federation", "arms")
    assert (shown.status, shown.error) == (
        2,
        "Error: give either RUN or --federation, not both\n",
    )
