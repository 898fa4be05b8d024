"""Values worked out by hand."""

import numpy as np
from zk0_action_smoothness.evaluator import mean_jerk


def test_a_parabola_does_not_jerk() -> None:
    """Third differences of t² are 0."""
    chunk = np.arange(6.0)[None, :, None] ** 2
    assert mean_jerk(chunk, fps=10) == 0.0


def test_a_cubic_jerks_evenly() -> None:
    """Third differences of t³ are 6; at 2 frames a second the jerk is 48, squared 2304."""
    chunk = np.arange(6.0)[None, :, None] ** 3
    assert mean_jerk(chunk, fps=2) == 2304.0
