"""Values worked out by hand."""

from zk0_core import Span
from zk0_core.history import History
from zk0_plugin_template.scheduler import Halving, HalvingOptions


def test_the_rate_is_halved_after_two_rounds() -> None:
    """Rounds 1 and 2 have the base rate, 3 and 4 half of it, 5 a quarter."""
    schedule = Halving(HalvingOptions(rounds=2))
    rates = [schedule.value(round, Span.constant(0.8), History()).hi for round in range(1, 6)]
    assert rates == [0.8, 0.8, 0.4, 0.4, 0.2]
