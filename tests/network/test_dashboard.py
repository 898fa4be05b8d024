"""The dashboard of a federation whose server runs."""

import re

import httpx
import pytest

from tests.dashboard.serving import served
from tests.network.world import World
from zk0_core.dashboard.sources import ServedFederation

pytestmark = pytest.mark.network


def test_nodes_are_listed(world: World) -> None:
    world.start_server()
    world.enroll("left")
    world.enroll("right")
    world.start_node("left")
    world.await_nodes("left")
    with served(ServedFederation(world.server)) as address:
        page = httpx.get(address, timeout=None).text
    found = re.findall(r"<tr><th scope=\"row\">(\w+)</th><td>(\w+)</td><td>(\w+)", page)
    assert [(name, standing) for name, standing, _ in found] == [
        ("left", "online"),
        ("right", "away"),
    ]
    assert found[1][2] == "never"
