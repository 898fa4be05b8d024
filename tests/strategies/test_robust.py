"""Strategies that see all updates at once, against values worked out by hand."""

import numpy as np
import pytest

from zk0_core.errors import UsageError
from zk0_core.options import structure_options
from zk0_core.registry import Registry


def test_median_of_an_odd_and_of_an_even_number(combine) -> None:
    assert combine("fedmedian", [1.0, 5.0], [2.0, -9.0], [100.0, 4.0]).tolist() == [2.0, 4.0]
    assert combine("fedmedian", [1.0], [2.0], [4.0], [100.0]).tolist() == [3.0]


def test_the_median_counts_clients_alike(combine) -> None:
    assert combine("fedmedian", [1.0], [2.0], [9.0], examples=[1, 1, 1000]).tolist() == [2.0]


def test_trimmed_mean_leaves_out_each_values_own_extremes(combine) -> None:
    # Of 4, int(0.25 · 4) = 1 goes at either end: (2 + 3)/2; (−1 + 4)/2.
    deltas = [1.0, 4.0], [2.0, 50.0], [3.0, -1.0], [100.0, -70.0]
    assert combine("trimmed-mean", *deltas, beta=0.25).tolist() == [2.5, 1.5]


def test_trimmed_mean_just_above_and_below_the_number_that_it_trims(combine) -> None:
    deltas = [0.0], [1.0], [2.0], [3.0], [100.0]
    # int(0.2 · 5) = 1: mean of 1, 2, 3. int(0.39 · 5) = 1 still; int(0.4 · 5) = 2: 2 alone.
    assert combine("trimmed-mean", *deltas, beta=0.2).tolist() == [2.0]
    assert combine("trimmed-mean", *deltas, beta=0.39).tolist() == [2.0]
    assert combine("trimmed-mean", *deltas, beta=0.4).tolist() == [2.0]
    assert combine("trimmed-mean", *deltas[:3], [30.0], [100.0], beta=0.4).tolist() == [2.0]


def test_krum_takes_the_update_with_the_nearest_neighbours(combine) -> None:
    # K = 5, f = 1: the 2 nearest count. Squared distances to them, in one dimension:
    # 0: 1 + 4 = 5; 1: 1 + 1 = 2; 2: 1 + 4 = 5; 4: 4 + 9 = 13; 100: far.
    assert combine("krum", [0.0], [1.0], [2.0], [4.0], [100.0], f=1).tolist() == [1.0]


def test_krum_takes_the_first_of_equals(combine) -> None:
    deltas = [0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0], [50.0, 50.0]
    # All of the first four have squared distances 2 and 2 to their nearest two.
    assert combine("krum", *deltas).tolist() == [0.0, 1.0]


def test_multi_krum_averages_by_examples(combine) -> None:
    deltas = [0.0], [1.0], [2.0], [4.0], [100.0]
    # Scores 5, 2, 5, 13: two are selected by default (5 − 1 − 2), 1 and the first 0:
    # (3 · 1 + 1 · 0)/4.
    assert combine("multi-krum", *deltas, examples=[1, 3, 1, 1, 9]).tolist() == [0.75]
    assert combine("multi-krum", *deltas, select=1).tolist() == [1.0]


def test_bulyan_by_hand(combine) -> None:
    # K = 7, f = 1: each scores its 4 nearest.  0: 1+4+9+16 = 30; 1: 1+1+4+9 = 15;
    # 2: 1+1+4+4 = 10; 3: 15; 4: 30; 10: 36+49+64+81 = 230; 1000: far. The 5 lowest are 0 to 4;
    # the 3 nearest to their median 2 are 1, 2, 3.
    deltas = [[value] for value in (0.0, 1.0, 2.0, 3.0, 4.0, 10.0, 1000.0)]
    assert combine("bulyan", *deltas).tolist() == [2.0]
    # With 1.25 in place of 1: median still 2, mean (1.25 + 2 + 3)/3.
    deltas[1] = [1.25]
    assert combine("bulyan", *deltas)[0] == pytest.approx(6.25 / 3, rel=1e-6)


def test_norm_clip_by_a_bound(combine) -> None:
    # [3, 4] has norm 5: scaled by 2.5/5 it is [1.5, 2]. [0, 2.5] is exactly at the bound.
    after = combine("norm-clip", [3.0, 4.0], [0.0, 2.5], examples=[1, 3], bound=2.5)
    assert after.tolist() == [1.5 / 4, (2 + 3 * 2.5) / 4]


def test_norm_clip_by_the_median_of_the_round(combine) -> None:
    # Norms 1, 2, 100: the last becomes −2. (1 + 2 − 2)/3.
    assert combine("norm-clip", [1.0], [2.0], [-100.0])[0] == pytest.approx(1 / 3, rel=1e-6)


def test_norm_clip_when_most_did_not_move(combine) -> None:
    # The median norm is 0: nobody moves the model.
    assert combine("norm-clip", [0.0], [0.0], [7.0]).tolist() == [0.0]


def test_one_client_clipped_by_a_bound(combine) -> None:
    assert combine("norm-clip", [-8.0], bound=2.0).tolist() == [-2.0]


@pytest.mark.parametrize(
    ("name", "options", "needed"),
    [
        ("fedavg", {}, 1),
        ("scaffold", {}, 1),
        ("fedmedian", {}, 3),
        ("trimmed-mean", {"beta": 0.2}, 5),
        ("trimmed-mean", {"beta": 0.25}, 4),
        ("trimmed-mean", {"beta": 0.1}, 10),
        ("trimmed-mean", {"beta": 0.34}, 3),
        ("trimmed-mean", {"beta": 0.49}, 3),
        ("krum", {"f": 1}, 5),
        ("krum", {"f": 2}, 7),
        ("multi-krum", {"f": 1}, 5),
        ("multi-krum", {"f": 1, "select": 4}, 7),
        ("bulyan", {"f": 1}, 7),
        ("bulyan", {"f": 2}, 11),
        ("norm-clip", {}, 3),
        ("norm-clip", {"bound": 1.0}, 1),
    ],
)
def test_how_many_updates_are_needed(name, options, needed) -> None:
    record = Registry.discover().get("strategy", name)
    assert record.needed_updates(structure_options(record.options, options, path="")) == needed


def test_a_trim_that_is_allowed_trims_somebody() -> None:
    from zk0_strategies.trimmed_mean import TrimmedMeanOptions, needed_updates, trimmed

    for beta in [thousandths / 1000 for thousandths in range(1, 500)]:
        needed = needed_updates(TrimmedMeanOptions(beta=beta))
        assert (trimmed(beta, needed), trimmed(beta, needed - 1)) == (1, 0), beta


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("krum", {"f": 0}, "strategy.f must be ≥ 1, got 0"),
        (
            "krum",
            {"f": 1.5},
            "strategy.f must be a whole number ≥ 1, got 1.5; did you mean 1 or 2?",
        ),
        ("multi-krum", {"select": 0}, "strategy.select must be ≥ 1, got 0"),
        ("bulyan", {"f": -1}, "strategy.f must be ≥ 1, got -1"),
        ("trimmed-mean", {"beta": 0.0}, "strategy.beta must be above 0 and below 0.5, got 0.0"),
        ("trimmed-mean", {"beta": 0.5}, "strategy.beta must be above 0 and below 0.5, got 0.5"),
        ("norm-clip", {"bound": 0.0}, "strategy.bound must be > 0, got 0.0"),
        ("qfedavg", {"q": -0.1}, "strategy.q must be ≥ 0, got -0.1"),
        ("qfedavg", {"lipschitz": 0.0}, "strategy.lipschitz must be > 0, got 0.0"),
        ("fedavgm", {"momentum": 1.1}, "strategy.momentum must be between 0 and 1, got 1.1"),
        ("fedavgm", {"lr": 0.0}, "strategy.lr must be > 0, got 0.0"),
        ("diloco", {"lr": -1.0}, "strategy.lr must be > 0, got -1.0"),
        ("diloco", {"momentum": -0.1}, "strategy.momentum must be between 0 and 1, got -0.1"),
        ("fedadam", {"beta_1": 1.0}, "strategy.beta_1 must be between 0 and 0.9999, got 1.0"),
        ("fedyogi", {"beta_2": -1.0}, "strategy.beta_2 must be between 0 and 0.9999, got -1.0"),
        ("fedadagrad", {"tau": 0.0}, "strategy.tau must be > 0, got 0.0"),
    ],
)
def test_options_out_of_range(name, options, text) -> None:
    record = Registry.discover().get("strategy", name)
    with pytest.raises(UsageError) as refused:
        structure_options(record.options, options, path="strategy")
    assert str(refused.value) == text


def test_a_median_reads_one_tensor_at_a_time(build, tmp_path) -> None:
    """Deltas in files, as the rounds keep them: most of them must not be in memory at once."""
    from zk0_core.protocols import Update
    from zk0_core.server.kept import kept

    strategy = build("fedmedian")
    names = ["a", "b", "c"]
    strategy.begin({name: np.zeros(2, np.float32) for name in names}, 1)
    for index in range(3):
        delta = {name: np.full(2, index, np.float32) for name in names}
        strategy.add(kept(Update(f"c{index}", 1, delta), tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"c{i}.update" for i in range(3)]
    result = strategy.finish()
    assert {name: result[name].tolist() for name in result} == {n: [1.0, 1.0] for n in names}


def test_a_kept_tensor_that_is_not_there(tmp_path) -> None:
    from zk0_core.server.kept import KeptTensors

    tensors = KeptTensors(tmp_path / "x.update", {"a": np.ones(2, np.float32)})
    assert (list(tensors), len(tensors), tensors["a"].tolist()) == (["a"], 1, [1.0, 1.0])
    with pytest.raises(KeyError, match="b"):
        tensors["b"]
