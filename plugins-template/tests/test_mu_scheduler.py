"""Values worked out by hand."""

from zk0_core import Span
from zk0_core.history import History
from zk0_plugin_template.mu_scheduler import Delay, DelayOptions


def test_there_is_no_term_in_the_first_two_rounds() -> None:
    """From the third round on the weight is the base's."""
    schedule = Delay(DelayOptions(rounds=2))
    weights = [schedule.value(round, Span.constant(0.1), History()).hi for round in range(1, 5)]
    assert weights == [0.0, 0.0, 0.1, 0.1]
