"""A contract fails what it is there to fail, with a text that says what is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

import attrs
import numpy as np
import pytest

from zk0_core import (
    CodecPlugin,
    DatasetLoaderPlugin,
    EvaluatorPlugin,
    LrSchedulerPlugin,
    ReporterPlugin,
    Span,
    StrategyOptions,
    StrategyPlugin,
)
from zk0_core.builtin.codec_float32 import Float32Codec
from zk0_core.testing import (
    CodecContract,
    Contract,
    EvaluatorContract,
    LoaderContract,
    ObjectiveContract,
    ReporterContract,
    ScheduleContract,
    StrategyContract,
    examples,
)
from zk0_core.testing.contract import check_names, sentence


def failure(contract: type[Contract], record: Any, name: str) -> str:
    """Return why the check `name` of `contract` fails for the plugin of `record`."""
    made = type("TestIt", (contract,), {"plugin": record})
    with pytest.raises(AssertionError) as failed:
        getattr(made(), name)()
    return str(failed.value)


class Mean:
    """A strategy that holds its contract: the mean, weighted by examples."""

    def begin(self, params, round):
        self.params, self.round = params, round
        self.sums = {name: np.zeros(array.shape) for name, array in params.items()}
        self.weight = 0

    def add(self, update):
        for name in self.sums:
            self.sums[name] += update.delta[name] * update.examples
        self.weight += update.examples

    def finish(self):
        return {
            name: (self.params[name] + total / self.weight).astype(np.float32)
            for name, total in self.sums.items()
        }

    def order(self, client):
        return {}

    def state(self):
        return {}

    def restore(self, state):
        pass


class Unweighted(Mean):
    def add(self, update):
        for name in self.sums:
            self.sums[name] += update.delta[name]
        self.weight = 1


class WrongShape(Mean):
    def finish(self):
        return {**super().finish(), "head.bias": np.zeros(3, np.float32)}


class Hoarder(Mean):
    def begin(self, params, round):
        super().begin(params, round)
        self.all = []

    def add(self, update):
        self.all.append(update)
        super().add(update)


class Greedy(Mean):
    def add(self, update):
        update.delta["head.bias"][:] *= 2
        super().add(update)


class Forgetful(Mean):
    """Moves on by what it remembers, and does not say so in its state."""

    seen = 0

    def finish(self):
        self.seen += 1
        return {name: array + self.seen for name, array in super().finish().items()}


class Moody(Mean):
    """Moves on by chance."""

    def finish(self):
        by = np.random.default_rng().random()
        return {name: array + np.float32(by) for name, array in super().finish().items()}


def strategy(build: Callable[..., Any], **fields: Any) -> StrategyPlugin:
    return StrategyPlugin(name="it", summary="s", build=lambda options: build(), **fields)


def test_a_good_strategy_holds_everything() -> None:
    made = type("TestIt", (StrategyContract,), {"plugin": strategy(Mean)})
    for name in check_names(made):
        getattr(made(), name)()


@pytest.mark.parametrize(
    ("build", "name", "text"),
    [
        (Unweighted, "test_mean_of_equal_updates", "all clients moved head.bias alike, but the"),
        (
            Hoarder,
            "test_memory_is_flat",
            "8 more clients take 8.0 MiB more, with updates of 1 MiB",
        ),
        (
            Greedy,
            "test_arguments_are_left_alone",
            "begin, add or finish writes into the arrays that it is given",
        ),
        (
            Moody,
            "test_order_of_arrival",
            "other orders of arrival give other parameters",
        ),
        (
            Forgetful,
            "test_state_round_trips",
            "after restore the next round gives other parameters than without",
        ),
    ],
)
def test_what_strategies_do_wrong(build: type, name: str, text: str) -> None:
    assert failure(StrategyContract, strategy(build), name).startswith(text)


def test_wrong_shapes_are_told_by_the_round_itself() -> None:
    made = type("TestIt", (StrategyContract,), {"plugin": strategy(WrongShape)})
    with pytest.raises(Exception, match=r"returned head\.bias as float32 \(3,\), not float32"):
        made().test_new_parameters_fit()


class Heavy:
    """A client half that pulls all parameters towards 0, whatever the weight."""

    def start(self, params, extra):
        self.params = params

    def gradient(self, mu):
        import torch

        with torch.no_grad():
            for param in self.params.values():
                param.grad.add_(param, alpha=0.5)
        return torch.zeros(2)

    def finish(self):
        return {"norm": np.array([np.nan], np.float32)}

    def state(self):
        return {}

    def restore(self, state):
        pass


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_weight_0_is_plain_training", "with weight 0 it changes the training"),
        ("test_gradient_changes_gradients_alone", "the loss term has shape (2,), not ()"),
        (
            "test_what_it_sends_is_finite",
            "norm has a NaN or an infinity; the server will refuse it",
        ),
    ],
)
def test_what_client_halves_do_wrong(name: str, text: str) -> None:
    record = strategy(Mean, build_objective=lambda options: Heavy())
    assert failure(ObjectiveContract, record, name) == text


class Counting:
    """Counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def value(self, round, base, history, client=None):
        self.asked += 1
        return base.scaled(1 / self.asked)


class Growing:
    def value(self, round, base, history, client=None):
        return Span.constant(float("inf") if round > 30 else 1.0)


@pytest.mark.parametrize(
    ("build", "name", "text"),
    [
        (Counting, "test_it_is_pure", "asked twice for round 13 it gives Span(hi=0.001"),
        (
            Counting,
            "test_a_replayed_history_gives_the_same",
            "round 12 had Span(hi=8.33",
        ),
        (Growing, "test_values_are_finite", "round 31 has the value inf"),
    ],
)
def test_what_schedules_do_wrong(build: type, name: str, text: str) -> None:
    record = LrSchedulerPlugin(name="it", summary="s", build=lambda options: build())
    assert failure(ScheduleContract, record, name).startswith(text)


class Lossy:
    """Drops the last value of every tensor, and hides NaN."""

    def encode(self, tensors):
        return {name: np.nan_to_num(array).reshape(-1)[:-1] for name, array in tensors.items()}

    def decode(self, encoded, like):
        sent = {name: encoded.get(name, np.zeros(0)) for name in like}
        return {
            name: np.resize(sent[name] if sent[name].size else np.zeros(1), array.shape).astype(
                "f4"
            )
            for name, array in like.items()
        }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_updates_come_back_near", "head.bias is off by"),
        ("test_broadcasts_come_back_near", "head.bias is off by"),
        ("test_nan_is_not_hidden", "a NaN comes back as a number"),
        ("test_misfits_are_refused", "decode takes a missing tensor; raise WireError"),
    ],
)
def test_what_codecs_do_wrong(name: str, text: str) -> None:
    record = CodecPlugin(name="it", summary="s", build=lambda options: Lossy())
    assert failure(CodecContract, record, name).startswith(text)


class Remembering(Float32Codec):
    """Adds up what it was given, and forgets it when it is restored."""

    def __init__(self):
        self.sums = {}

    def encode(self, tensors):
        self.sums = {name: array + self.sums.get(name, 0) for name, array in tensors.items()}
        return super().encode(self.sums)

    def state(self):
        return {}

    def restore(self, state):
        self.sums = {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_memory_survives", "after restore(state()) an update is encoded otherwise"),
        (
            "test_broadcasts_remember_nothing",
            "the codec of broadcasts has a memory; give the record a build_broadcast without one",
        ),
    ],
)
def test_what_codecs_with_a_memory_do_wrong(name: str, text: str) -> None:
    record = CodecPlugin(name="it", summary="s", build=lambda options: Remembering())
    assert failure(CodecContract, record, name).startswith(text)


class TinyLoader:
    """Opens the tiny dataset, with one thing wrong."""

    def __init__(self, **wrong):
        self.wrong = wrong

    def open(self, uri, progress=None):
        return attrs.evolve(examples.dataset(), uri="tiny:", **self.wrong)

    def prepare(self, uris, workers, progress=None):
        pass


class Float64Loader(TinyLoader):
    def open(self, uri, progress=None):
        dataset = super().open(uri)
        return attrs.evolve(dataset, state=dataset.state.astype(np.float64))


class OverlapLoader(TinyLoader):
    def open(self, uri, progress=None):
        dataset = super().open(uri)
        episodes = [attrs.evolve(episode, start=0) for episode in dataset.episodes]
        return attrs.evolve(dataset, episodes=episodes)


@pytest.mark.parametrize(
    ("build", "name", "text"),
    [
        (Float64Loader, "test_schema_fits_the_data", "state is float64, not float32"),
        (
            OverlapLoader,
            "test_episodes_share_no_frame",
            "episode 1 has frames [0, 9); free are [5, 15)",
        ),
        (
            TinyLoader,
            "test_nothing_there_is_an_error",
            "opening tiny:/no/such/dataset raises no DataError",
        ),
    ],
)
def test_what_loaders_do_wrong(build: type, name: str, text: str) -> None:
    record = DatasetLoaderPlugin(name="tiny", summary="s", build=lambda options: build())
    contract = type("TinyContract", (LoaderContract,), {"address": "tiny:"})
    assert failure(contract, record, name) == text


def test_a_loader_without_a_sample_says_how_to_give_one() -> None:
    record = DatasetLoaderPlugin(name="tiny", summary="s", build=lambda options: TinyLoader())
    assert failure(LoaderContract, record, "test_every_picture_comes_once") == (
        "there is no dataset to try it on: set `address` in the contract, override `sample`, or "
        "give zk0 plugins test --dataset URI"
    )


class Forgetting:
    """A reporter that takes every round for evaluated."""

    def start(self, plan, folder):
        pass

    def round(self, record, history):
        assert record.policy_loss is not None, "no loss to show"

    def finish(self, history):
        pass


def test_what_reporters_do_wrong() -> None:
    record = ReporterPlugin(name="it", summary="s", build=lambda options: Forgetting())
    assert failure(ReporterContract, record, "test_a_whole_run").startswith("no loss to show")


def test_excepted_checks_are_skipped_with_the_reason() -> None:
    class TestIt(StrategyContract):
        plugin = strategy(Unweighted)
        exceptions: ClassVar = {"test_mean_of_equal_updates": "it adds them up"}

    with pytest.raises(SkipTest, match=r"^it adds them up$"):
        TestIt().test_mean_of_equal_updates()
    assert sentence(TestIt.test_mean_of_equal_updates) == (
        "The weighted mean of equal updates is that update"
    )


def test_an_exception_needs_a_check_and_a_reason() -> None:
    with pytest.raises(TypeError, match="names 'test_unheard', which is none of its checks; choos"):
        type("TestIt", (CodecContract,), {"exceptions": {"test_unheard": "so"}})
    with pytest.raises(TypeError, match="gives no reason; write one"):
        type("TestIt", (CodecContract,), {"exceptions": {"test_there_and_back": " "}})


def test_help_is_asked_for() -> None:
    @attrs.frozen(kw_only=True)
    class Options(StrategyOptions):
        depth: int = 3

    text = failure(StrategyContract, strategy(Mean, options=Options), "test_summary_and_help")
    assert text == 'option depth has no help; add metadata={"help": "…"} to its field'


HEAVY_HOOK = """
from zk0_core import StrategyPlugin, hookimpl
ZK0_API = 1
@hookimpl
def zk0_strategies():
    import numpy
    yield StrategyPlugin(name="it", summary="s", build=numpy.mean)
"""


def test_hooks_must_be_as_light_as_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`zk0 plugins list` calls the hooks."""
    (tmp_path / "heavy_zk0.py").write_text(HEAVY_HOOK)
    monkeypatch.syspath_prepend(tmp_path)

    class TestIt(StrategyContract):
        plugin = "it"

        def _entry_module(self):
            return "heavy_zk0"

    with pytest.raises(AssertionError) as failed:
        TestIt().test_import_is_light()
    assert str(failed.value) == (
        "importing heavy_zk0 and calling its hooks imports numpy; import them inside build, or "
        "inside what it builds"
    )


def test_evaluators_must_give_what_json_can_hold() -> None:
    class Broken(EvaluatorContract):
        plugin = EvaluatorPlugin(name="it", summary="s", build=lambda options: None)

        def _evaluate(self):
            return {"policy_loss": float("nan")}

    with pytest.raises(AssertionError, match="JSON cannot hold the figures"):
        Broken().test_figures()
