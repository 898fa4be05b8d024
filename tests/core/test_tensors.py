"""Named tensors, intervals, seeds and sampling: values worked out by hand."""

import math

import numpy as np
import pytest

from zk0_core.intervals import wilson
from zk0_core.seeds import derive_seed
from zk0_core.server.sampling import sample_clients
from zk0_core.span import Span
from zk0_core.tensors import difference, fingerprint, first_not_finite, norm


def test_fingerprint_changes_with_name_shape_dtype_and_value() -> None:
    one = {"w": np.array([[1.0, 2.0]], np.float32)}
    others = [
        {"v": one["w"]},
        {"w": one["w"].T},
        {"w": one["w"].astype(np.float64)},
        {"w": one["w"] + 1},
        {},
    ]
    assert len({fingerprint(tensors) for tensors in [one, *others]}) == 6
    assert fingerprint(one) == fingerprint({"w": one["w"].copy()})


def test_fingerprint_of_a_scalar_and_of_an_empty_tensor() -> None:
    assert fingerprint({"w": np.float32(1).reshape(())}) != fingerprint({"w": np.zeros(0)})


def test_difference_and_norm() -> None:
    delta = difference({"a": np.array([4.0, 2.0])}, {"a": np.array([1.0, -2.0])})
    assert delta["a"].tolist() == [3.0, 4.0]
    assert norm(delta) == 5.0


def test_the_first_tensor_that_is_not_finite_is_named() -> None:
    bad = {"b": np.array([np.nan]), "a": np.array([1.0]), "c": np.array([np.inf])}
    assert first_not_finite(bad) == "b"
    assert first_not_finite({"a": np.array([1.0])}) is None


def test_wilson_interval_of_8_in_10() -> None:
    # z = 1.96: centre (0.8 + 0.19208) / 1.38416 = 0.71674, half width 0.2266.
    low, high = wilson(8, 10)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == pytest.approx(1.0)


def test_seeds_differ_by_every_part_and_stay_the_same() -> None:
    seeds = {
        derive_seed(0, "batches"),
        derive_seed(1, "batches"),
        derive_seed(0, "noise"),
        derive_seed(0, "batches", client="a"),
        derive_seed(0, "batches", round=1),
    }
    assert len(seeds) == 5
    assert derive_seed(0, "batches", client="a") == derive_seed(0, "batches", client="a")
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_sampling_is_by_name_and_never_empty() -> None:
    clients = ["d", "a", "c", "b"]
    assert sample_clients(clients, 1.0, seed=0, round=1) == ["a", "b", "c", "d"]
    assert len(sample_clients(clients, 0.5, seed=0, round=1)) == 2
    assert len(sample_clients(clients, 0.01, seed=0, round=1)) == 1
    rounds = {tuple(sample_clients(clients, 0.5, seed=0, round=r)) for r in range(1, 30)}
    assert len(rounds) > 1
    assert sample_clients(clients, 0.5, 0, 3) == sample_clients(sorted(clients), 0.5, 0, 3)


def test_a_span_is_a_piece_of_a_cosine() -> None:
    span = Span(hi=2.0, lo=0.0, phase0=0.0, phase1=1.0)
    assert span.at(0, 4) == 2.0
    assert span.at(2, 4) == pytest.approx(1.0)
    assert span.at(3, 4) == pytest.approx(1 + math.cos(0.75 * math.pi))
    assert span.scaled(0.5).at(0, 4) == 1.0
    assert span.clamped(0.5, 1.5).at(0, 4) == 1.5
    assert Span.constant(3.0).at(7, 9) == 3.0
