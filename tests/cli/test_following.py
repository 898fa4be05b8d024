"""A run of a federation that is followed, from the command that submitted it or by another one."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import pytest

from tests.network.conducting import SuperLink, node
from zk0_cli import federations
from zk0_cli.following import Teller, follow
from zk0_core.errors import Zk0Error
from zk0_core.federation import conductor as conducting
from zk0_core.federation.conductor import Conductor
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import RunEntry, ServerProcess, ServerSettings, write
from zk0_core.federation.runs import Runs
from zk0_core.federation.signals import only_one
from zk0_core.history import to_line
from zk0_core.testing import examples

ROUNDS = [to_line(record) + "\n" for record in examples.history().rounds]
GONE = (
    "the server of federation 'main' does not run; the run goes on after zk0 server start --name "
    "main"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerFolder:
    """The folder of a server that was started once."""
    monkeypatch.setenv("ZK0_HOME", str(tmp_path))
    folder = ServerFolder.of("main")
    write(folder.settings, ServerSettings())
    return folder


@pytest.fixture
def runs(folder: ServerFolder) -> Runs:
    return Runs(folder)


@pytest.fixture
def entry(runs: Runs) -> RunEntry:
    """A run that is queued."""
    entry = runs.submit(examples.plan())
    Path(entry.folder).mkdir()
    return entry


@contextmanager
def served(folder: ServerFolder) -> Iterator[None]:
    """A server that does nothing: it only is there."""
    with only_one(folder.lock, "busy"):
        write(folder.process, ServerProcess(pid=os.getpid(), started="", address="", control=""))
        yield


def record(entry: RunEntry, text: str) -> None:
    (Path(entry.folder) / "history.jsonl").write_text(text)


def test_states_and_rounds_are_told_each_once(entry) -> None:
    lines: list[str] = []

    def told(text: str, **changes: object) -> list[str]:
        """Return what is told of a run with the records `text` that is not told before."""
        lines.clear()
        record(entry, text)
        teller.tell(attrs.evolve(entry, **changes))
        return [" ".join(line.split()[:5]) for line in lines]

    teller = Teller(examples.plan(), lines.append)
    queued, running = (f"run {entry.name} is {state}" for state in ("queued", "running"))
    assert told("") == [queued]
    assert told("", reason="missing: bob") == ["waiting: missing: bob"]
    assert told("", reason="missing: bob") == []
    # What follows the last newline is still being written.
    assert told(ROUNDS[0] + ROUNDS[1][:20], state="running") == [
        running,
        "round 0/6 server loss 1.0000",
    ]
    first = "round 1/6 client loss 1.0000"
    assert told(ROUNDS[0] + ROUNDS[1], state="running") == [first]
    # A run that was taken up again is back at its last checkpoint.
    assert told(ROUNDS[0], state="running") == []
    assert told(ROUNDS[0] + ROUNDS[1], state="done") == [first]


def test_a_run_that_waits_is_no_error(zk0, runs, entry) -> None:
    runs.change(entry, reason="missing: bob (never connected)")
    shown = zk0("logs")
    assert (shown.status, shown.error) == (0, "")
    assert shown.out == (f"run {entry.name} is queued\nwaiting: missing: bob (never connected)\n")


@pytest.mark.parametrize("more", [(), ("-f",)])
def test_a_run_that_has_ended_is_told_to_its_end(zk0, runs, entry, more) -> None:
    record(entry, ROUNDS[0])
    runs.change(entry, state="failed", reason="no client can take part")
    shown = zk0("logs", entry.name, *more)
    assert (shown.status, shown.error) == (0, "")
    first, last = shown.out.splitlines()
    assert first.split()[:3] == ["round", "0/6", "server"]
    assert last == f"run {entry.name} failed: no client can take part"
    runs.change(entry, state="done")
    assert zk0("logs").out.splitlines()[-1] == (
        f"run {entry.name} is done, its output is in {entry.folder}"
    )


def test_the_log_of_a_runs_server_half(zk0, entry) -> None:
    shown = zk0("logs", "--of", "server")
    log = Path(entry.folder) / "logs" / "server.log"
    assert (shown.status, shown.error) == (
        1,
        f"Error: {log} is not there: nothing was logged yet\n",
    )
    log.parent.mkdir()
    log.write_text("3 clients\n")
    assert zk0("logs", "--of", "server").out == "3 clients\n"


def test_that_the_server_is_gone_is_said_once_and_the_run_goes_on_when_it_is_back(
    folder, runs, entry
) -> None:
    lines: list[str] = []
    entry = runs.change(entry, state="running", wait=0.0)
    with ExitStack() as stack:

        def say(line: str) -> None:
            lines.append(line)
            if line == GONE:
                stack.enter_context(served(folder))
                record(entry, ROUNDS[0])
            elif line.startswith("round"):
                runs.change(entry, state="done")

        ended = follow(folder, entry, examples.plan(), say, give_up=True)
    assert ended.state == "done"
    assert lines[:2] == [f"run {entry.name} is running", GONE]
    assert lines.count(GONE) == 1
    assert lines[2].startswith("round   0/6")


def test_whoever_looks_on_takes_no_run_back(folder, runs, entry) -> None:
    """It waits for no nodes at all, and no server is there."""
    lines: list[str] = []
    entry = runs.change(entry, wait=0.0)

    def say(line: str) -> None:
        lines.append(line)
        if line == GONE:
            threading.Timer(0.8, runs.change, (entry,), {"state": "done"}).start()

    assert follow(folder, entry, examples.plan(), say).state == "done"
    assert lines.count(GONE) == 1
    assert not runs.to_be_stopped(entry.name)


def test_a_run_that_no_server_starts_is_taken_back(folder, runs, entry) -> None:
    entry = runs.change(entry, wait=0.0)
    lines: list[str] = []
    with pytest.raises(Zk0Error) as ended:
        follow(folder, entry, examples.plan(), lines.append, give_up=True)
    assert lines == [f"run {entry.name} is queued", GONE]
    assert str(ended.value) == (
        f"run {entry.name} is taken back: the server of federation 'main' did not run for 0 s; zk0 "
        "server start --name main, and submit it again"
    )
    Conductor(folder, SuperLink(), ServerSettings()).look()
    assert runs.find(entry.name).state == "stopped"


def test_a_run_that_waited_in_vain_ends_the_command_with_1(
    zk0, folder, runs, run_file, monkeypatch
) -> None:
    monkeypatch.setattr(conducting, "LOOK_SECONDS", 0.0)
    superlink = SuperLink()
    superlink.known = [node("ann", online=False)]
    ended = threading.Event()

    def conduct() -> None:
        conductor = Conductor(folder, superlink, ServerSettings())
        while not ended.wait(0.05):
            conductor.look()

    with served(folder):
        thread = threading.Thread(target=conduct)
        thread.start()
        shown = zk0("run", run_file, "--federation", "main", "--wait", "0")
        ended.set()
        thread.join()
    (entry,) = runs.all()
    why = (
        "0 of 1 nodes were connected after 0 s; missing: ann (last seen 2026-01-01 10:00 UTC); "
        "start them, or ask for fewer with --min-clients"
    )
    assert (shown.status, entry.state, entry.reason) == (1, "failed", why)
    assert shown.error.splitlines()[-1] == f"Error: run {entry.name} failed: {why}"


def test_a_run_that_does_not_stop_is_an_error(zk0, folder, entry, monkeypatch) -> None:
    monkeypatch.setattr(federations, "STOP_SECONDS", 0.0)
    with served(folder):
        shown = zk0("stop")
    assert (shown.status, shown.out, shown.error) == (
        1,
        "",
        f"Error: run {entry.name} has not stopped within 0 s; its server goes on trying, zk0 "
        "server logs --name main says what keeps it\n",
    )
