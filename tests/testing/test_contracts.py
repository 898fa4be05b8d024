"""What other plugins do wrong, and what every contract has: exceptions, help, light imports."""

from pathlib import Path
from typing import ClassVar
from unittest import SkipTest

import attrs
import pytest

from tests.testing.failing import Mean, Unweighted, failure, strategy
from zk0_core import (
    EvaluatorPlugin,
    LrSchedulerPlugin,
    ReporterPlugin,
    Span,
    StrategyOptions,
)
from zk0_core.testing import (
    CodecContract,
    EvaluatorContract,
    ReporterContract,
    ScheduleContract,
    StrategyContract,
)
from zk0_core.testing.contract import sentence


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
