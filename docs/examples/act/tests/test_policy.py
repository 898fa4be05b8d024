"""What the options refuse."""

import pytest
from zk0_act.policy import ActFamily, ActOptions

from zk0_core import UsageError


def test_a_chunk_is_the_most_that_can_be_executed() -> None:
    """The error names both options."""
    with pytest.raises(UsageError, match=r"n_action_steps is 9, more than policy\.chunk_size 8;"):
        ActFamily(ActOptions(chunk_size=8, n_action_steps=9))
