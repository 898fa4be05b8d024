"""Values worked out by hand."""

import numpy as np

from zk0_plugin_template.codec import Int8Codec


def test_values_become_whole_numbers() -> None:
    """The largest magnitude is 2, so the scale is 2 / 127 and 1 travels as round(63.5) = 64."""
    encoded = Int8Codec().encode({"w": np.array([2.0, -2.0, 1.0, 0.0], np.float32)})
    # Halves go to the even neighbour, which is 64.
    assert encoded["int8:w"].tolist() == [127, -127, 64, 0]
    assert encoded["scale:w"].tolist() == [np.float32(2 / 127)]
