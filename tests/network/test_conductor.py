"""Which run is started, when, and what becomes of one that crashes."""

from types import SimpleNamespace

import attrs
import pytest

from tests.network.conducting import BY_HAND, EARLY, node, submit
from zk0_core.engines._flower_control import FINISHED, KnownNode, RunState
from zk0_core.errors import UsageError, Zk0Error
from zk0_core.federation import conductor as conducting
from zk0_core.federation.conductor import MAX_ATTEMPTS


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


def test_a_superlink_that_does_not_answer_is_asked_again(
    look, runs, superlink, monkeypatch, logged
) -> None:
    def away() -> list[KnownNode]:
        raise Zk0Error("the SuperLink does not answer: refused")

    superlink.known = [node("ann")]
    entry = submit(runs)
    with monkeypatch.context() as patched:
        patched.setattr(superlink, "nodes", away)
        look()
        look()
    assert logged == ["the SuperLink does not answer: refused"]
    assert runs.find(entry.name).state == "queued"
    look()
    assert runs.find(entry.name).state == "running"


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
