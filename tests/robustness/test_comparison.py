"""The cosine of each update to the others, from sketches, against hand-worked values."""

import numpy as np
import pytest

from zk0_core.server.comparison import Comparison


def test_a_sketch_is_exact_for_as_many_values_as_it_has_sums() -> None:
    """(3, 4) and (4, 3), weight 1 and 2, and (−1, 0): cosines by hand.

    To (3, 4): 2 (4, 3) + (−1, 0) = (7, 6): (21 + 24) / (5 √85) = 0.97619.
    To (4, 3): (3, 4) + (−1, 0) = (2, 4): (8 + 12) / (5 √20) = 0.89443.
    To (−1, 0): (3, 4) + 2 (4, 3) = (11, 10): −11 / √221 = −0.73994.
    """
    comparison = Comparison(seed=0)
    for client, (x, y), weight in (("a", (3, 4), 1), ("b", (4, 3), 2), ("c", (-1, 0), 1)):
        delta = {"x": np.array([x], np.float32), "y": np.array([[y]], np.float32)}
        comparison.add(client, delta, weight)
    found = comparison.cosines()
    assert found == pytest.approx({"a": 0.97619, "b": 0.89443, "c": -0.73994}, abs=1e-5)


def test_a_sketch_of_more_values_is_near() -> None:
    """Parts of 300,000 values that are common: cosine ½ between any two, 1/√3 · … to the mean.

    u_k = c + e_k with ‖c‖ = ‖e_k‖: u_1 · (u_2 + u_3) = 2, ‖u_1‖ = √2, ‖u_2 + u_3‖ = √6.
    """
    random = np.random.default_rng(0)
    common, *own = random.standard_normal((4, 3, 100_000)).astype(np.float32)
    comparison = Comparison(seed=0)
    for client, each_own in zip("abc", own, strict=True):
        comparison.add(client, {"w": common + each_own}, 1)
    for cosine in comparison.cosines().values():
        assert cosine == pytest.approx(2 / 12**0.5, abs=0.03)


def test_alone_there_is_nothing_to_compare() -> None:
    comparison = Comparison(seed=0)
    comparison.add("a", {"w": np.ones(3, np.float32)}, 1)
    assert comparison.cosines() == {"a": None}
