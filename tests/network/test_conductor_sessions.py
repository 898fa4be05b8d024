"""When a session starts by itself, whenever somebody has come since the one before, and whence."""

import itertools
from pathlib import Path

import attrs
import numpy as np
import pytest

from tests.network.conducting import BY_HAND, EARLY, LATE, node, submit
from zk0_core.engines._flower_control import FINISHED, RunState
from zk0_core.federation.records import RunEntry, ServerSettings
from zk0_core.federation.runs import Runs, now
from zk0_core.runfile import plan_to_json
from zk0_core.server.checkpoint import Checkpoint, Checkpoints
from zk0_core.testing import examples

AUTO = ServerSettings(auto=plan_to_json(examples.plan()), min_clients=1)


@pytest.fixture
def begin(look, runs, superlink):
    """Returns the next session, which somebody's coming begins; it goes on from the one before."""
    known = itertools.count()

    def begin(settings: ServerSettings = AUTO) -> RunEntry:
        superlink.known = [*superlink.known, node(f"node-{next(known)}")]
        look(settings)
        *_, entry = runs.all()
        assert not entry.over
        return entry

    return begin


def accepted(entry: RunEntry, round: int) -> None:
    """Have a run keep what was accepted up to `round`."""
    kept = Checkpoint(round, {"w": np.zeros(1, np.float32)}, {})
    Checkpoints(Path(entry.folder) / "checkpoints").save(kept)


def end(runs: Runs, entry: RunEntry, state: str) -> None:
    runs.change(entry, state=state)


@pytest.mark.parametrize("state", ["done", "failed", "stopped"])
def test_a_session_starts_from_what_the_one_before_accepted(runs, begin, state) -> None:
    first = begin()
    accepted(first, 95)
    end(runs, first, state)
    second = begin()
    assert second.start_from == first.folder
    # One that has not got so far as a checkpoint has no model to go on from.
    end(runs, second, "failed")
    assert begin().start_from == first.folder


def test_a_session_is_asked_for_as_the_server_was(begin) -> None:
    entry = begin(attrs.evolve(AUTO, round_seconds=600.0))
    assert (entry.round_seconds, entry.min_clients, entry.series) == (600.0, 1, 1)


def test_a_run_by_hand_is_no_sessions_model(runs, begin) -> None:
    first = begin()
    accepted(first, 1)
    end(runs, first, "done")
    by_hand = submit(runs)
    accepted(by_hand, 3)
    end(runs, by_hand, "done")
    assert (begin().start_from, by_hand.series) == (first.folder, 0)


def test_sessions_of_another_policy_have_a_model_of_their_own(runs, begin) -> None:
    plan = examples.plan()
    policy = attrs.evolve(plan.policy, options={**plan.policy.options, "width": 7})
    other = attrs.evolve(AUTO, auto=plan_to_json(attrs.evolve(plan, policy=policy)))
    longer = attrs.evolve(AUTO, auto=plan_to_json(attrs.evolve(plan, rounds=99)))
    starts = []
    for settings in (AUTO, other, longer, other):
        entry = begin(settings)
        accepted(entry, 1)
        end(runs, entry, "done")
        starts.append(entry.start_from)
    first, second, *_ = runs.all()
    assert starts == ["", "", first.folder, second.folder]


def test_a_new_series_starts_afresh_with_the_nodes_that_are_there(
    look, runs, begin, superlink
) -> None:
    first = begin()
    accepted(first, 1)
    end(runs, first, "done")
    runs.change(runs.find(first.name), there=tuple(node.name for node in superlink.known))
    look(AUTO)
    assert len(list(runs.all())) == 1
    look(attrs.evolve(AUTO, series=2))
    _, second = runs.all()
    assert second.start_from == ""
    accepted(second, 1)
    end(runs, second, "done")
    assert begin(attrs.evolve(AUTO, series=2)).start_from == second.folder


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
    accepted(first, 3)
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
    entry = submit(runs, min_clients=2, wait=0.0, series=1)
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
