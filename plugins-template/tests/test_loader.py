"""Values worked out by hand."""

import numpy as np
import pytest

from zk0_core import DataError
from zk0_plugin_template.loader import WavesLoader


def test_joints_wave() -> None:
    """The first joint starts at 30° · sin(0) = 0; an action is the next frame's state."""
    dataset = WavesLoader().open("plugin-template:episodes=2")
    assert dataset.state.shape == (40, 6)
    assert dataset.state[0, 0] == 0.0
    assert np.array_equal(dataset.action[0], dataset.state[1])


@pytest.mark.parametrize("address", ["plugin-template:", "plugin-template:episodes=1"])
def test_a_wrong_address_is_told_what_to_write(address: str) -> None:
    """The error has the address and the fix."""
    text = f"^{address}: write plugin-template:episodes=K, with K of 2 or more$"
    with pytest.raises(DataError, match=text):
        WavesLoader().open(address)
