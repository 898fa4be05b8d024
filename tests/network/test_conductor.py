"""Which run is started, when, and what becomes of one that crashes."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from loguru import logger

from zk0_core.engines._flower_control import FINISHED, KnownNode, RunState
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation import conductor as conducting
from zk0_core.federation.conductor import MAX_ATTEMPTS, Conductor
from zk0_core.federation.folder import ServerFolder
from zk0_core.federation.records import RunEntry, ServerSettings
from zk0_core.federation.runs import Runs, now
from zk0_core.runfile import plan_to_json
from zk0_core.testing import examples

EARLY, LATE = "2026-01-01T10:00:00+00:00", "2999-01-01T10:00:00+00:00"


def node(name: str, online: bool = True, seen: str = EARLY) -> KnownNode:
    return KnownNode(hash(name), name, name.encode(), online, EARLY, seen)


BY_HAND = ServerSettings()


class SuperLink:
    """What a SuperLink says of nodes and runs, as the test sets it."""

    def __init__(self) -> None:
        self.known: list[KnownNode] = []
        self.states: dict[int, RunState | None] = {}
        self.started: list[str] = []
        self.stopped: list[int] = []

    def nodes(self) -> list[KnownNode]:
        return self.known

    def start_run(self, bundle: bytes, run: str) -> int:
        self.started.append(run)
        number = len(self.started)
        self.states[number] = RunState("running", "", "")
        return number

    def run_state(self, number: int) -> RunState | None:
        return self.states[number]

    def stop_run(self, number: int) -> None:
        self.stopped.append(number)


@pytest.fixture
def superlink() -> SuperLink:
    return SuperLink()


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(ServerFolder(tmp_path))


@pytest.fixture
def look(tmp_path: Path, superlink: SuperLink, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conducting, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(conducting, "bundle", lambda: b"")
    conductors: dict[ServerSettings, Conductor] = {}

    def look(settings: ServerSettings = BY_HAND) -> Conductor:
        if settings not in conductors:
            conductors[settings] = Conductor(ServerFolder(tmp_path), superlink, settings)
        conductors[settings].look()
        return conductors[settings]

    return look


@pytest.fixture
def logged() -> Iterator[list[str]]:
    lines: list[str] = []
    number = logger.add(lambda line: lines.append(line.strip()), format="{message}")
    yield lines
    logger.remove(number)


def submit(runs: Runs, **asked: object) -> RunEntry:
    return runs.submit(examples.plan(), **asked)


def test_one_run_after_the_other(look, runs, superlink) -> None:
    superlink.known = [node("ann")]
    first, second = submit(runs), submit(runs)
    look()
    look()
    assert superlink.started == [first.name]
    runs.tell_outcome(first.name, "")
    superlink.states[1] = RunState(FINISHED, "completed", "")
    look()
    assert runs.find(first.name).state == "done"
    look()
    assert superlink.started == [first.name, second.name]


def test_a_run_that_is_queued_again_waits_behind_all_others(look, runs, superlink) -> None:
    superlink.known = [node("ann")]
    first, second, third = (submit(runs).name for _ in range(3))
    look()
    runs.ask_to_stop(first)
    look()
    assert superlink.started == [first, second]
    again = runs.queue_again(runs.find(first))
    assert [run.name for run in runs.all()] == [second, third, first]
    assert runs.last().name == second
    look()
    assert runs.find(first) == again  # it is not taken beside the one that runs
    for number, name in ((2, second), (3, third)):
        assert superlink.started == [first, second, third][:number]
        runs.tell_outcome(name, "")
        superlink.states[number] = RunState(FINISHED, "completed", "")
        look()
        look()
    assert superlink.started == [first, second, third, first]


def test_a_clock_that_was_set_back_puts_no_run_before_the_one_that_runs(
    look, runs, superlink
) -> None:
    superlink.known = [node("ann")]
    first, second = submit(runs), submit(runs)
    look()
    runs.change(second, submitted=EARLY)
    look()
    assert superlink.started == [first.name]
    assert runs.last().name == first.name


def test_a_run_that_is_queued_again_waits_for_its_nodes_anew(
    look, runs, superlink, monkeypatch
) -> None:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(conducting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    entry = submit(runs, wait=60.0)
    for later, state in ((0, "queued"), (61, "failed")):
        clock.now += later
        look()
        assert runs.find(entry.name).state == state
    runs.queue_again(runs.find(entry.name))
    for later, state in ((0, "queued"), (59, "queued"), (2, "failed")):
        clock.now += later
        look()
        assert runs.find(entry.name).state == state


def test_a_run_waits_for_its_nodes_and_says_for_whom(look, runs, superlink) -> None:
    superlink.known = [node("ann"), node("bob", online=False), node("cem", False, "")]
    entry = submit(runs)
    look()
    assert runs.find(entry.name).reason == (
        "missing: bob (last seen 2026-01-01 10:00 UTC), cem (never connected)"
    )
    assert superlink.started == []
    superlink.known = [node("ann"), node("bob"), node("cem")]
    look()
    assert runs.find(entry.name).state == "running"
    assert runs.find(entry.name).reason == ""


def test_fewer_nodes_will_do_when_asked_for(look, runs, superlink) -> None:
    superlink.known = [node("ann"), node("bob", online=False)]
    submit(runs, min_clients=1)
    look()
    assert len(superlink.started) == 1


def test_a_run_gives_up_waiting(look, runs, superlink) -> None:
    superlink.known = [node("ann"), node("bob", online=False)]
    entry = submit(runs, wait=0.0)
    look()
    look()
    ended = runs.find(entry.name)
    assert (ended.state, ended.reason) == (
        "failed",
        "1 of 2 nodes were connected after 0 s; missing: bob (last seen 2026-01-01 10:00 UTC); "
        "start them, or ask for fewer with --min-clients",
    )


def test_without_any_node_it_says_what_to_do(look, runs, superlink) -> None:
    entry = submit(runs)
    look()
    assert runs.find(entry.name).reason == (
        "missing: nodes to approve, with zk0 server nodes approve"
    )


def test_a_run_that_cannot_be_carried_out_is_not_tried_again(look, runs, superlink) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    runs.tell_outcome(entry.name, "no client can take part")
    superlink.states[1] = RunState(FINISHED, "failed", "")
    look()
    ended = runs.find(entry.name)
    assert (ended.state, ended.reason) == ("failed", "no client can take part")
    assert superlink.started == [entry.name]


def test_a_run_that_crashes_goes_on_and_at_last_fails(look, runs, superlink) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert runs.find(entry.name).attempts == attempt
        # A SuperLink that has lost its database knows no run at all.
        superlink.states[attempt] = None if attempt == 2 else RunState(FINISHED, "failed", "x")
        look()
    ended = runs.find(entry.name)
    assert superlink.started == [entry.name] * MAX_ATTEMPTS
    assert (ended.state, ended.reason) == ("failed", "crashed 5 times; see its log")
    assert ended.ended


def test_a_run_whose_launcher_died_goes_on_at_once(look, runs, superlink) -> None:
    """The SuperLink still calls it running: it hears of the end a minute later."""
    superlink.known = [node("ann")]
    entry = submit(runs)
    conductor = look()
    look()
    assert superlink.started == [entry.name]
    conductor.launcher_died()
    look()
    look()
    assert superlink.stopped == [1]
    assert superlink.started == [entry.name] * 2
    assert runs.find(entry.name).attempts == 2


@pytest.mark.parametrize("state", [RunState("running", "", ""), RunState(FINISHED, "failed", "x")])
def test_a_server_that_starts_again_goes_on_and_counts_no_crash(
    look, runs, superlink, state
) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    superlink.states[1] = state
    look(attrs.evolve(BY_HAND, port=1))
    assert superlink.started == [entry.name] * 2
    assert superlink.stopped == ([1] if state.status == "running" else [])
    assert runs.find(entry.name).attempts == 1


def test_a_run_that_ended_while_the_server_was_away_is_not_started_again(
    look, runs, superlink
) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    runs.tell_outcome(entry.name, "")
    look(attrs.evolve(BY_HAND, port=1))
    assert runs.find(entry.name).state == "done"
    assert superlink.started == [entry.name]


@pytest.mark.parametrize("started", [False, True])
def test_a_run_is_stopped(look, runs, superlink, started) -> None:
    superlink.known = [node("ann", online=started)]
    entry = submit(runs)
    look()
    runs.ask_to_stop(entry.name)
    look()
    ended = runs.find(entry.name)
    assert (ended.state, ended.reason) == ("stopped", "asked for with zk0 stop")
    assert superlink.stopped == [1] * started


def test_one_that_was_stopped_through_flower_is_not_started_again(look, runs, superlink) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    superlink.states[1] = RunState(FINISHED, "stopped", "")
    look()
    assert runs.find(entry.name).state == "stopped"


def test_sessions_start_when_nodes_have_come(look, runs, superlink) -> None:
    auto = ServerSettings(auto=plan_to_json(examples.plan()), min_clients=2)
    superlink.known = [node("ann"), node("bob", online=False)]
    look(auto)
    assert list(runs.all()) == []
    superlink.known = [node("ann"), node("bob")]
    look(auto)
    look(auto)
    (first,) = runs.all()
    assert (first.state, first.start_from, first.min_clients) == ("running", "", 2)
    runs.tell_outcome(first.name, "")
    superlink.states[1] = RunState(FINISHED, "completed", "")
    look(auto)
    look(auto)
    # Nobody has come since, so the server is idle.
    assert len(list(runs.all())) == 1
    superlink.known = [node("ann"), node("bob"), node("cem")]
    look(auto)
    _, second = runs.all()
    assert second.start_from == first.folder


def test_who_connects_anew_after_a_stop_begins_no_session(look, runs, superlink) -> None:
    """Whoever was training when a run is stopped leaves its work, and is back in no time."""
    auto = ServerSettings(auto=plan_to_json(examples.plan()), min_clients=1)
    superlink.known = [node("ann"), node("bob")]
    look(auto)
    look(auto)
    (first,) = runs.all()
    runs.ask_to_stop(first.name)
    look(auto)
    assert (runs.find(first.name).state, superlink.stopped) == ("stopped", [1])
    superlink.known = [node("ann", seen=LATE), node("bob", online=False, seen=now())]
    look(auto)
    superlink.known = [node("ann", seen=LATE), node("bob", seen=LATE)]
    look(auto)
    assert len(list(runs.all())) == 1
    # A server that starts again knows it too.
    again = attrs.evolve(auto, port=1)
    look(again)
    assert len(list(runs.all())) == 1
    superlink.known = [*superlink.known, node("cem", seen=LATE)]
    look(again)
    assert len(list(runs.all())) == 2


def test_who_lost_the_server_at_the_end_has_not_come_when_it_is_back(look, runs, superlink) -> None:
    """A straggler is given up by a round, connects anew, and the run ends meanwhile."""
    auto = ServerSettings(auto=plan_to_json(examples.plan()), min_clients=1)
    superlink.known = [node("ann"), node("bob")]
    look(auto)
    look(auto)
    (first,) = runs.all()
    superlink.known = [node("ann"), node("bob", online=False, seen=now())]
    runs.tell_outcome(first.name, "")
    superlink.states[1] = RunState(FINISHED, "completed", "")
    look(auto)
    superlink.known = [node("ann"), node("bob", seen=LATE)]
    look(auto)
    assert [run.state for run in runs.all()] == ["done"]


def test_who_was_missing_when_a_session_gave_up_begins_the_next(look, runs, superlink) -> None:
    """It was away for a moment only, but no run had begun that could have torn it away."""
    superlink.known = [node("ann"), node("bob", online=False, seen=now())]
    auto = ServerSettings(min_clients=2, auto=plan_to_json(examples.plan()))
    entry = submit(runs, min_clients=2, wait=0.0)
    look(auto)
    look(auto)
    assert runs.find(entry.name).state == "failed"
    look(auto)
    assert len(list(runs.all())) == 1
    superlink.known = [node("ann"), node("bob", seen=LATE)]
    look(auto)
    assert len(list(runs.all())) == 2


def test_who_has_left_for_long_begins_a_session_when_it_is_back(look, runs, superlink) -> None:
    auto = ServerSettings(auto=plan_to_json(examples.plan()), min_clients=2)
    superlink.known = [node("ann"), node("bob")]
    look(auto)
    look(auto)
    (first,) = runs.all()
    runs.tell_outcome(first.name, "")
    superlink.states[1] = RunState(FINISHED, "completed", "")
    look(auto)
    assert runs.find(first.name).there == ("ann", "bob")
    superlink.known = [node("ann"), node("bob", online=False, seen=EARLY)]
    look(auto)
    assert runs.find(first.name).there == ("ann",)
    # Bob comes back while the server is started again, and that he had left is not forgotten.
    superlink.known = [node("ann"), node("bob", seen=LATE)]
    look(attrs.evolve(auto, port=1))
    assert len(list(runs.all())) == 2


def test_a_run_from_before_there_were_sessions_holds_none_up(look, runs, superlink) -> None:
    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    runs.tell_outcome(entry.name, "")
    look(attrs.evolve(BY_HAND, port=1))
    assert (runs.find(entry.name).state, runs.find(entry.name).there) == ("done", ())
    look(ServerSettings(auto=plan_to_json(examples.plan())))
    assert len(list(runs.all())) == 2


def test_a_superlink_that_does_not_answer_is_asked_again(
    look, runs, superlink, monkeypatch
) -> None:
    def away() -> list[KnownNode]:
        raise Zk0Error("the SuperLink does not answer: refused")

    superlink.known = [node("ann")]
    entry = submit(runs)
    monkeypatch.setattr(superlink, "nodes", away)
    look()
    assert runs.find(entry.name).state == "queued"
    monkeypatch.undo()


def test_a_stop_that_fails_is_tried_again_and_holds_nothing_up(
    look, runs, superlink, monkeypatch, logged
) -> None:
    def away(number: int) -> None:
        raise Zk0Error("the SuperLink does not answer: refused")

    superlink.known = [node("ann")]
    first, second = submit(runs), submit(runs)
    look()
    runs.ask_to_stop(first.name)
    runs.ask_to_stop(second.name)
    with monkeypatch.context() as patched:
        patched.setattr(superlink, "stop_run", away)
        logged.clear()
        look()
    assert logged == [
        f"run {first.name} is not stopped yet: the SuperLink does not answer: refused",
        f"run {second.name} is stopped",
    ]
    assert [run.state for run in runs.all()] == ["running", "stopped"]
    look()
    assert [run.state for run in runs.all()] == ["stopped", "stopped"]
    assert superlink.stopped == [1]


def test_a_run_that_ends_while_it_cannot_be_stopped_is_not_started_again(
    look, runs, superlink, monkeypatch
) -> None:
    def refused(number: int) -> None:
        raise Zk0Error("run 1 was not stopped: database is locked")

    superlink.known = [node("ann")]
    entry = submit(runs)
    look()
    runs.ask_to_stop(entry.name)
    monkeypatch.setattr(superlink, "stop_run", refused)
    superlink.states[1] = RunState(FINISHED, "failed", "x")
    look()
    ended = runs.find(entry.name)
    assert (ended.state, ended.reason) == ("stopped", "asked for with zk0 stop")
    assert superlink.started == [entry.name]


def test_runs_have_names_of_their_own(runs) -> None:
    first, second = submit(runs), submit(runs)
    assert first.name != second.name
    assert [entry.name for entry in runs.all()] == [first.name, second.name]
    assert runs.last() == first
    runs.change(first, state="done")
    assert runs.last() == second
    assert attrs.evolve(runs.find(first.name), ended="") == attrs.evolve(first, state="done")


@pytest.mark.parametrize("name", ["no-such-run", "..", "."])
def test_a_run_that_is_not_there(runs, name) -> None:
    with pytest.raises(UsageError) as refused:
        runs.find(name)
    assert str(refused.value) == f"there is no run '{name}'; the last ones are: none"
