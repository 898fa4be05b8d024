"""Differential privacy at the client: what it adds, what it costs, that nothing gives it back."""

import importlib.util
import json
import math
import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from zk0_core.builtin.reporter_console import ConsoleReporter
from zk0_core.client.ledger import Ledger
from zk0_core.client.privacy import (
    GaussianMechanism,
    Privacy,
    epsilon_of,
    most_delta,
    normal_values,
)
from zk0_core.errors import PluginError, UsageError, Zk0Error
from zk0_core.options import structure_options
from zk0_core.plan import ClientPlan, PluginChoice
from zk0_core.records import StrategyOptions
from zk0_core.tensors import Tensors, fingerprint, norm
from zk0_core.testing import examples

DELTA = 1e-5
NOISY = {"dp_clip": 0.1, "dp_noise": 2.0, "dp_delta": DELTA}
EPISODES = examples.dataset(held_out=0).episodes
TARGETS = {"left": [1.0, -2.0], "right": [-1.0, 0.5]}


@pytest.fixture
def clients(federate, quadratic):
    """Make a federation of two clients, from options of the strategy and fields of the plan."""

    def clients(strategy: str = "fedavg", plan: Any = None, **options: Any) -> Any:
        problems = {name: quadratic([1.0, 1.0], target) for name, target in TARGETS.items()}
        return federate(problems, strategy, options, local_steps=2, **(plan or {}))

    return clients


# What it costs.


def test_epsilon_of_sampled_releases_is_the_published_one() -> None:
    """Opacus tests its own: noise 1.5, a sample of 0.04, 2250 steps, δ = 1e-5: 7.32911717143."""
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [(1.5, 0.04, 2250)]
    assert accountant.get_epsilon(1e-5) == pytest.approx(7.32911717143, abs=1e-5)


@pytest.mark.parametrize(("noise", "releases"), [(1.0, 1), (2.0, 10), (5.0, 100), (1.1, 3)])
def test_epsilon_is_that_of_the_gaussian_mechanism(noise, releases) -> None:
    """Mironov 2017, proposition 7 and corollary 3: T releases are (α, T α / (2 z²))-RDP.

    To (ε, δ) by theorem 21 of Balle et al. 2020: ε = RDP + ln((α − 1)/α) − (ln δ + ln α)/(α − 1),
    at the best α.
    """
    orders = np.linspace(1.001, 200, 2_000_000)
    curve = releases * orders / (2 * noise**2)
    curve += np.log((orders - 1) / orders) - (math.log(DELTA) + np.log(orders)) / (orders - 1)
    found = epsilon_of({noise: releases}, DELTA)
    assert curve.min() <= found + 1e-9
    assert found == pytest.approx(curve.min(), rel=1e-2)


def test_a_bound_is_above_what_is_exact() -> None:
    """The least ε of one release with z = 1 at δ = 1e-5 is 4.377 (Balle and Wang 2018)."""

    def phi(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    def delta(epsilon: float) -> float:  # their equation 6, for sensitivity and σ of 1
        return phi(0.5 - epsilon) - math.exp(epsilon) * phi(-0.5 - epsilon)

    assert delta(4.377) == pytest.approx(DELTA, rel=0.01)
    assert 4.377 < epsilon_of({1.0: 1}, DELTA) < 4.75


def test_releases_of_different_noise_add_up() -> None:
    mixed = epsilon_of({1.0: 2, 3.0: 5}, DELTA)
    assert epsilon_of({1.0: 2}, DELTA) < mixed < epsilon_of({1.0: 7}, DELTA)


# What it adds.


def test_noise_has_the_scale_that_is_asked_for() -> None:
    """Noise 1.5 and clip 0.2: a standard deviation of 0.3, within 1 % over 120,000 values."""
    delta = {"a": np.zeros((300, 200), np.float32), "b": np.zeros(60_001, np.float32)}
    noisy = GaussianMechanism(0.2, 1.5, b"s" * 32).apply(delta)
    values = np.concatenate([noisy[name].ravel() for name in sorted(noisy)])
    assert values.std() == pytest.approx(0.3, rel=0.01)
    assert abs(values.mean()) < 0.01
    # Of a normal distribution 68.27 % are within one standard deviation, 99.73 % within three.
    assert np.mean(np.abs(values) < 0.3) == pytest.approx(0.6827, abs=0.01)
    assert np.mean(np.abs(values) < 0.9) == pytest.approx(0.9973, abs=0.002)
    assert {name: array.dtype for name, array in noisy.items()} == dict.fromkeys("ab", np.float32)
    assert (noisy["a"].shape, noisy["b"].shape) == ((300, 200), (60_001,))


def test_an_update_is_clipped_before_noise_is_added() -> None:
    """(3, 4) is 5 long; clipped to 0.5 it is (0.3, 0.4), and noise of 5e-7 hides none of it."""
    delta = {"w": np.array([3, 4], np.float32)}
    noisy = GaussianMechanism(0.5, 1e-6, b"s" * 32).apply(delta)["w"]
    np.testing.assert_allclose(noisy, [0.3, 0.4], atol=1e-5)


def test_the_same_update_gets_the_same_noise_and_another_one_its_own() -> None:
    mechanism = GaussianMechanism(10.0, 1.0, b"s" * 32)
    first: Tensors = {"w": np.array([1, 2, 3], np.float32)}
    other: Tensors = {"w": np.array([1, 2, 3.0000002], np.float32)}
    noise = [mechanism.apply(delta)["w"] - delta["w"] for delta in (first, first, other)]
    assert noise[0].tolist() == noise[1].tolist()
    assert np.abs(noise[0] - noise[2]).max() > 0.1
    elsewhere = GaussianMechanism(10.0, 1.0, b"t" * 32).apply(first)["w"]
    assert np.abs(elsewhere - mechanism.apply(first)["w"]).max() > 0.1


def test_normal_values_come_from_the_key_alone() -> None:
    like = np.zeros((5, 3))
    values = normal_values(b"k" * 32, like)
    assert values.shape == (5, 3)
    assert values.tolist() == normal_values(b"k" * 32, like).tolist()
    assert np.isfinite(values).all()
    assert normal_values(b"k" * 32, np.zeros(0)).size == 0


# In rounds.


def test_no_noise_and_no_clipping_is_plain_to_the_bit(clients) -> None:
    ends = []
    for options in ({}, {"dp_noise": 0.0, "dp_clip": None}, {"dp_clip": 1e6}):
        federation = clients(**options)
        for _ in range(2):
            record = federation.round()
        ends.append((fingerprint(federation.params), record.clients[0].epsilon))
    assert ends == [ends[0]] * 3
    assert ends[0][1] is None


def test_epsilon_is_counted_client_by_client_and_recorded(clients) -> None:
    federation = clients(**NOISY)
    records = [federation.round() for _ in range(2)]
    spent = [entry.epsilon for record in records for entry in record.clients]
    expected = [epsilon_of({2.0: count}, DELTA) for count in (1, 1, 2, 2)]
    assert spent == pytest.approx(expected)
    # Without noise none is longer than 0.1; the noise of 4 values of 0.2 each makes it longer.
    assert all(entry.update_norm != pytest.approx(0.1) for entry in records[0].clients)


def test_the_console_shows_the_greatest_epsilon(capsys) -> None:
    reporter = ConsoleReporter()
    reporter.start(examples.plan(), Path())
    history = examples.history(1)
    first, second = history.rounds[1].clients
    clients = (attrs.evolve(first, epsilon=1.25), attrs.evolve(second, epsilon=3.5))
    record = attrs.evolve(history.rounds[1], clients=clients)
    reporter.round(record, history)
    assert "  epsilon 3.50  " in capsys.readouterr().err


def test_a_client_stops_at_its_budget_and_the_others_go_on(clients) -> None:
    two, three = (epsilon_of({2.0: count}, DELTA) for count in (2, 3))
    left = ClientPlan("left", "quadratic:left", epsilon=(two + three) / 2)
    right = ClientPlan("right", "quadratic:right")
    federation = clients(plan={"clients": (left, right)}, **NOISY)
    records = [federation.round() for _ in range(3)]
    assert [len(record.clients) for record in records] == [2, 2, 1]
    (refusal,) = records[2].refused
    assert (refusal.client, refusal.failed) == ("left", True)
    assert refusal.reason == (
        f"privacy budget of client 'left' is spent: epsilon is {two:.3g} of {(two + three) / 2:g} "
        f"at delta 1e-05, and would be {three:.3g} after another round"
    )


def test_what_was_spent_stays_spent_when_the_update_is_refused(clients) -> None:
    federation = clients(**NOISY)
    federation.grid.tamper["left"] = lambda round, report, update: (
        report,
        {name: array * np.float32(np.nan) for name, array in update.items()},
    )
    federation.round()
    del federation.grid.tamper["left"]
    left, right = federation.round().clients
    assert left.epsilon == right.epsilon == pytest.approx(epsilon_of({2.0: 2}, DELTA))


def test_a_round_that_is_trained_again_sends_the_same_and_costs_nothing(clients) -> None:
    federation = clients(**NOISY)
    start = federation.params
    first = federation.round()
    after = fingerprint(federation.params)
    federation.params, federation.history = start, type(federation.history)()
    again = federation.round()
    assert fingerprint(federation.params) == after
    assert [entry.epsilon for entry in again.clients] == [entry.epsilon for entry in first.clients]


def test_a_strategy_that_sends_more_than_the_update_is_refused(clients) -> None:
    record = clients("scaffold", **NOISY).round()
    assert {refusal.reason for refusal in record.refused} == {
        "strategy 'scaffold' sends tensors beside the update, which no noise covers; choose "
        "another strategy, or leave out strategy.dp_noise"
    }


# The ledger.


def test_a_ledger_is_kept_and_its_secret_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "privacy.json"
    ledger = Ledger(path, ["a"])
    ledger.add("release", "run", 3, 1.5)
    assert path.stat().st_mode & 0o077 == 0
    (tmp_path / ".privacy-x1y2z3ab.json").touch()  # of a process that was killed as it wrote
    again = Ledger(path, ["a"])
    assert [file.name for file in tmp_path.iterdir()] == ["privacy.json"]
    assert again.secret == ledger.secret
    assert (again.has("release"), again.has("another")) == (True, False)
    assert (again.has_round("run", 3), again.has_round("run", 4)) == (True, False)
    assert again.noises() == {1.5: 1}


def test_a_release_counts_for_every_episode_that_it_was_made_from(tmp_path: Path) -> None:
    """Whatever they are together with, so that a choice among episodes starts nothing anew."""
    path = tmp_path / "privacy.json"
    Ledger(path, ["a", "b"]).add("one", "run", 1, 1.5)
    Ledger(path, ["b", "c"]).add("two", "run", 2, 2.5)
    found = {
        each: dict(Ledger(path, each.split()).noises()) for each in ("a", "b", "c", "d", "c a")
    }
    both = {1.5: 1, 2.5: 1}
    assert found == {"a": {1.5: 1}, "b": both, "c": {2.5: 1}, "d": {}, "c a": both}


def test_other_episodes_are_another_account_of_the_same_update(tmp_path: Path) -> None:
    update: Tensors = {"w": np.ones(4, np.float32)}
    strategy = PluginChoice("strategy", "fedavg", NOISY)
    first = Privacy(ClientPlan("left", ""), strategy, tmp_path / "privacy.json", EPISODES[:1])
    sent = first.apply(update, "run", 1)["w"]
    # Read after that, as a node does that was started with another dataset.
    second = Privacy(ClientPlan("left", ""), strategy, tmp_path / "privacy.json", EPISODES[1:])
    assert np.abs(second.apply(update, "run", 1)["w"] - sent).max() > 0.01
    assert first.epsilon == second.epsilon == pytest.approx(epsilon_of({2.0: 1}, DELTA))


RELEASE = {"run": "run", "round": 1, "noise": 2.0}
LEDGER = {"secret": "00", "episodes": {}, "releases": {}}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "TypeError: "),
        ({**LEDGER, "secret": "zz"}, "ValueError: non-hexadecimal number found"),
        ({"secret": "00", "releases": {}}, "KeyError: 'episodes'"),
        ({"secret": "00", "episodes": {}}, "KeyError: 'releases'"),
        ({**LEDGER, "releases": {"one": RELEASE}}, "KeyError: 'data'"),
        (
            {**LEDGER, "releases": {"one": {**RELEASE, "data": "d"}}},
            "ValueError: no episodes of release 'one'",
        ),
        (None, "JSONDecodeError: "),
    ],
)
def test_a_ledger_that_cannot_be_read_is_an_error_and_no_fresh_start(
    tmp_path: Path, content: object, problem: str
) -> None:
    path = tmp_path / "privacy.json"
    path.write_text("" if content is None else json.dumps(content))
    said = f"what this client has spent of its privacy cannot be read from {path} ({problem}"
    with pytest.raises(Zk0Error, match=rf"^{re.escape(said)}.*\); restore the file from a copy$"):
        Ledger(path, ["a"])


def test_a_release_is_written_down_before_it_is_made(tmp_path: Path) -> None:
    strategy = PluginChoice("strategy", "fedavg", NOISY)
    privacy = Privacy(ClientPlan("left", ""), strategy, tmp_path / "privacy.json", EPISODES)
    sent = privacy.apply({"w": np.ones(4, np.float32)}, "run", 1)
    (entry,) = json.loads((tmp_path / "privacy.json").read_text())["releases"].values()
    assert entry == {"run": "run", "round": 1, "noise": 2.0, "data": entry["data"]}
    assert norm(sent) != pytest.approx(0.1, rel=1e-3)


def test_a_full_disk_keeps_an_update_at_home(tmp_path, monkeypatch) -> None:
    strategy = PluginChoice("strategy", "fedavg", NOISY)
    (tmp_path / "file").write_text("in the way of a folder")
    ledger = tmp_path / "file" / "privacy.json"
    privacy = Privacy(ClientPlan("left", ""), strategy, ledger, EPISODES)
    for _ in range(2):  # what could not be written down is not taken for released the second time
        with pytest.raises(OSError, match="file"):
            privacy.apply({"w": np.ones(4, np.float32)}, "run", 1)


def test_two_processes_of_one_client_have_one_account(tmp_path: Path) -> None:
    """As with Ray, whose actors take any client in turn."""
    strategy, path = PluginChoice("strategy", "fedavg", NOISY), tmp_path / "privacy.json"
    one, other = (Privacy(ClientPlan("left", ""), strategy, path, EPISODES) for _ in range(2))
    update = {"w": np.ones(4, np.float32)}
    first = one.apply(update, "run", 1)
    other.check("run", 2)
    np.testing.assert_array_equal(other.apply(update, "run", 1)["w"], first["w"])
    other.apply({"w": np.asarray([1, 2, 3, 4], np.float32)}, "run", 2)
    one.apply({"w": np.full(4, -2.0, np.float32)}, "run", 3)
    assert one.epsilon == pytest.approx(epsilon_of({2.0: 3}, 1e-5))
    releases = json.loads(path.read_text())["releases"].values()
    assert sorted(entry["round"] for entry in releases) == [1, 2, 3]


# What is asked for.


def test_a_client_with_a_bound_takes_no_part_without_noise(tmp_path: Path) -> None:
    client, strategy = ClientPlan("left", "", epsilon=8.0), PluginChoice("strategy", "fedavg")
    with pytest.raises(UsageError) as refused:
        Privacy(client, strategy, tmp_path / "privacy.json", EPISODES)
    assert str(refused.value) == (
        "client 'left' takes part up to epsilon = 8 only, and updates of this run carry no noise; "
        "set strategy.dp_clip and strategy.dp_noise"
    )


def test_without_the_accountant_there_is_no_noise(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    strategy = PluginChoice("strategy", "fedavg", NOISY)
    with pytest.raises(UsageError, match=r"needs Opacus to count .*; pip install 'zk0\[privacy\]'"):
        Privacy(ClientPlan("left", ""), strategy, tmp_path / "privacy.json", EPISODES)


@pytest.mark.parametrize(
    ("frames", "delta"), [(1, 1e-5), (100_000, 1e-5), (100_001, 1e-6), (2_000_000, 1e-7)]
)
def test_delta_is_at_most_one_over_the_frames(frames: int, delta: float) -> None:
    assert most_delta(frames) == delta


def test_a_client_with_a_bound_refuses_a_delta_that_makes_it_worthless(tmp_path: Path) -> None:
    episodes = [attrs.evolve(EPISODES[0], start=50, stop=120_050)]
    strategy = PluginChoice("strategy", "fedavg", NOISY)
    with pytest.raises(UsageError) as refused:
        Privacy(ClientPlan("left", "", epsilon=8.0), strategy, tmp_path / "privacy.json", episodes)
    assert str(refused.value) == (
        "client 'left' takes part up to epsilon = 8 only, and this run counts it at delta = 1e-05, "
        "which promises too little; set strategy.dp_delta to 1e-06 or less"
    )
    Privacy(ClientPlan("left", ""), strategy, tmp_path / "privacy.json", episodes)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"dp_noise": 1.1}, "strategy.dp_noise must be 0 without dp_clip, got 1.1"),
        ({"dp_epsilon": 8.0}, "strategy.dp_epsilon must be none without dp_noise, got 8"),
        ({"dp_delta": 1.0}, "strategy.dp_delta must be above 0 and below 1, got 1.0"),
    ],
)
def test_options_that_make_no_sense(values, text) -> None:
    with pytest.raises(PluginError) as refused:
        structure_options(StrategyOptions, values, path="strategy")
    assert str(refused.value) == text


def test_a_bound_of_ones_own_is_a_key_of_the_run_file() -> None:
    from zk0_core.runfile import settings_from_toml

    text = '[[clients]]\ndataset = "local:/data/desk"\nepsilon = 8\n'
    settings = settings_from_toml(text, "run.toml")
    assert settings.clients is not None
    assert settings.clients[0].epsilon == 8.0
    with pytest.raises(UsageError) as refused:
        settings_from_toml(text.replace("8", "-1"), "run.toml")
    assert str(refused.value) == "clients[0].epsilon must be a number > 0, got -1 (from run.toml)"
