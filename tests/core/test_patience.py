"""How often a server looks for replies: often at first, and less often in a long round."""

import pytest

from zk0_core.server.exchange import Patience


@pytest.mark.parametrize(
    ("waited", "seconds"), [(0.0, 0.25), (12.5, 0.25), (50.0, 1.0), (100.0, 2.0), (3600.0, 2.0)]
)
def test_it_looks_late_by_a_fiftieth(waited: float, seconds: float) -> None:
    assert Patience(poll=0.25, slowest=2.0).pause(waited) == seconds


def test_a_simulation_looks_as_often_as_ever() -> None:
    assert [Patience().pause(waited) for waited in (0.0, 1000.0)] == [0.02, 0.02]
