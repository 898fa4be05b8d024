"""The dashboard as it answers: runs, pages, states and videos, and nothing else."""

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import httpx
import pytest

from tests.command import Zk0
from tests.dashboard.serving import served
from tests.markup import Page
from tests.run_folders import WriteRun, history
from zk0_core.dashboard.runs import LOG_LINES, runs_below, state_of
from zk0_core.history import History, to_line

Client = Callable[[Path], httpx.Client]


@pytest.fixture
def client() -> Iterator[Client]:
    """Serves a folder, and returns what asks for its pages."""
    with ExitStack() as stack:

        def start(place: Path) -> httpx.Client:
            address = stack.enter_context(served(place))
            asked = httpx.Client(base_url=address, follow_redirects=True, timeout=None)
            return stack.enter_context(asked)

        yield start


def test_a_run_alone_is_the_first_page(client: Client, write_run: WriteRun) -> None:
    answer = client(write_run()).get("/")
    assert answer.url.path == "/runs/small/"
    assert "It learned: success rose from 0 % untrained to 70 % in round 2." in answer.text
    assert "all runs" not in answer.text
    assert Page(answer.text).open == []


def test_runs_of_a_folder_are_listed_the_last_first(client: Client, write_run: WriteRun) -> None:
    folder = write_run()
    older = folder.parent / "older"
    older.mkdir()
    (older / "plan.toml").write_text("rounds = 3\n")
    os.utime(older / "plan.toml", (1, 1))
    answer = client(folder.parent).get("/")
    rows = re.findall(r"<tr><th scope=\"row\">.*</tr>", answer.text)
    assert [re.sub(r"(<[^>]*>)+", "|", row) for row in rows] == [
        "|small|2 of 2|70 %|0.500|going on|",
        f"|older|–|–|–|{state_of(older).text}|",
    ]
    assert "silent for" in rows[1]
    assert "all runs" in client(folder.parent).get("/runs/small/").text


def test_a_run_without_a_round_waits(client: Client, write_run: WriteRun) -> None:
    folder = write_run(History())
    (folder / "history.jsonl").unlink()
    (folder / "logs").mkdir()
    (folder / "logs" / "server.log").write_text("preparing <b>\n")
    text = client(folder).get("/runs/small/").text
    assert "no round is over yet" in text
    assert "preparing &lt;b&gt;" in text
    assert Page(text).open == []


def test_the_state_changes_with_every_round(client: Client, write_run: WriteRun) -> None:
    folder = write_run(History(history().rounds[:2]))
    asked = client(folder)
    before = asked.get("/runs/small/state").json()
    first = asked.get("/runs/small/").text
    assert "1 of 2 rounds are over" in first
    assert asked.get("/runs/small/").text == first
    with (folder / "history.jsonl").open("a") as log:
        log.write(to_line(history().rounds[2]) + "\n")
    after = asked.get("/runs/small/state").json()
    assert before["version"] != after["version"]
    assert before["text"] == after["text"] == "going on"
    assert "It learned" in asked.get("/runs/small/").text
    (folder / "models/final").mkdir(parents=True)
    (folder / "models/final/zk0.json").touch()
    assert asked.get("/runs/small/state").json()["text"] == "finished"


def test_the_log_is_its_end(write_run: WriteRun) -> None:
    folder = write_run()
    assert state_of(folder).log == ""
    (folder / "logs").mkdir()
    (folder / "logs" / "server.log").write_text("".join(f"line {n}\n" for n in range(20_000)))
    lines = state_of(folder).log.splitlines()
    assert (len(lines), lines[-1]) == (LOG_LINES, "line 19999")


def test_videos_are_given_in_parts(client: Client, write_run: WriteRun) -> None:
    folder = write_run(films=True)
    asked = client(folder)
    page = asked.get("/runs/small/").text
    assert 'src="evaluate/round_2/start_0.mp4"' in page and "data:video" not in page
    answer = asked.get("/runs/small/evaluate/round_2/start_0.mp4", headers={"Range": "bytes=0-99"})
    assert (answer.status_code, len(answer.content)) == (206, 100)
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize(
    "path",
    [
        "/runs/nobody/",
        "/runs/small/plan.toml",
        "/runs/small/evaluate/round_2/start_0.json",
        "/runs/small/evaluate/%2e%2e/plan.toml",
        "/runs/small/evaluate/round_2/../../../secret.mp4",
        "/runs/small/evaluate/round_2/%2e%2e/%2e%2e/%2e%2e/secret.mp4",
        "/runs/small/evaluate/link.mp4",
        "/runs/..%2fsecret/",
        "/secret.mp4",
    ],
)
def test_nothing_else_is_given(client: Client, write_run: WriteRun, path: str) -> None:
    folder = write_run(films=True)
    secret = folder.parent / "secret.mp4"
    secret.write_bytes(b"not yours")
    (folder / "evaluate/link.mp4").symlink_to(secret)
    answer = client(folder).get(path)
    assert answer.status_code == 404
    assert "not yours" not in answer.text


def test_it_only_reads(client: Client, write_run: WriteRun) -> None:
    folder = write_run(films=True)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    asked = client(folder)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert asked.request(method, "/runs/small/").status_code == 405
    for path in ("/", "/runs/small/", "/runs/small/state"):
        assert asked.get(path).status_code == 200
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_another_sites_name_does_not_lead_here(client: Client, write_run: WriteRun) -> None:
    answer = client(write_run()).get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400


def test_a_broken_run_does_not_hide_the_others(client: Client, write_run: WriteRun) -> None:
    folder = write_run()
    broken = folder.parent / "broken"
    broken.mkdir()
    (broken / "plan.toml").write_text("rounds = 3\n")
    (broken / "history.jsonl").write_text("no record\n")
    text = client(folder.parent).get("/").text
    assert "line 1 of" in text and "small" in text


def test_wrong_lines(zk0: Zk0, write_run: WriteRun, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    shown = zk0("dashboard", str(tmp_path / "empty"))
    assert (shown.status, shown.error) == (
        2,
        f"Error: no run in {tmp_path}/empty; name a run's folder, or one that has runs, such as "
        "outputs\n",
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shown = zk0("dashboard", str(write_run()), "--port", str(port))
    assert (shown.status, shown.error) == (
        2,
        f"Error: port {port} of this machine cannot be used (Address already in use); choose "
        "another with --port, or 0 for any\n",
    )


def test_runs_are_found_by_their_plan(write_run: WriteRun) -> None:
    folder = write_run()
    (folder.parent / "notes").mkdir()
    assert runs_below(folder.parent) == {"small": folder}
    assert runs_below(folder) == {"small": folder}
    assert attrs.asdict(state_of(folder))["text"] == "going on"
