"""Runs that are told to stop."""

import pytest

from tests.network.conducting import node, submit
from zk0_core.engines._flower_control import FINISHED, RunState
from zk0_core.errors import Zk0Error


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
