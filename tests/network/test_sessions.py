"""Sessions of a server with `--auto`: a stop is not undone by the nodes that it frees."""

import pytest

from tests.network.world import PLUGIN, World, wait_until
from zk0_core.federation.runs import Runs
from zk0_core.registry import Registry
from zk0_core.resolve import DEFAULTS, resolve_plan
from zk0_core.runfile import plan_to_json, read_run_file
from zk0_core.settings import merged

pytestmark = pytest.mark.network


def test_after_a_stop_the_next_session_waits_for_somebody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PLUGIN))
    settings = merged(DEFAULTS, read_run_file(world.run_file("ann", rounds=1, seconds=600.0)))
    plan = resolve_plan(settings, Registry.discover(settings.disabled))
    world.start_server(auto=plan_to_json(plan), min_clients=1)
    runs = Runs(world.server)

    def is_training(name: str) -> bool:
        # In round 0 it is only asked about its data, and free again before it could be stopped.
        now = world.node(name)
        return now.get("state") == "training" and now["round"] >= 1

    world.enroll("ann")
    world.start_node("ann")
    wait_until("ann trains", lambda: is_training("ann"))
    (first,) = runs.all()
    supernode = world.node("ann")["supernode"]
    runs.ask_to_stop(first.name)
    wait_until("ann is free", lambda: world.node("ann").get("supernode") not in (supernode, None))
    wait_until("ann waits", lambda: world.node("ann").get("state") == "waiting")
    world.await_nodes("ann")
    assert [run.state for run in runs.all()] == ["stopped"]
    assert runs.find(first.name).there == ("ann",)

    world.enroll("bob")
    world.start_node("bob")
    wait_until("bob trains", lambda: is_training("bob"))
    assert [run.state for run in runs.all()] == ["stopped", "running"]
