"""What every scheduler refuses, and what it says of itself."""

from typing import Any

import pytest

from zk0_core import PluginError, Span
from zk0_core.history import History
from zk0_core.options import describe, structure_options
from zk0_core.records import LrSchedulerPlugin, MuSchedulerPlugin
from zk0_core.registry import Registry

REGISTRY = Registry.discover()
OURS: list[LrSchedulerPlugin | MuSchedulerPlugin] = [
    plugin.record  # type: ignore[misc]  # of these kinds
    for plugin in REGISTRY.plugins
    if plugin.distribution == "zk0-schedulers"
]


@pytest.mark.parametrize(
    ("kind", "name", "options", "text"),
    [
        ("scheduler", "cosine", {"eta_min": -1.0}, "eta_min must be ≥ 0, got -1.0"),
        (
            "scheduler",
            "reduce-on-plateau",
            {"factor": 1},
            "factor must be above 0 and below 1, got 1.0",
        ),
        (
            "scheduler",
            "reduce-on-plateau",
            {"factor": 0},
            "factor must be above 0 and below 1, got 0.0",
        ),
        (
            "scheduler",
            "reduce-on-plateau",
            {"stall_patience": 0},
            "stall_patience must be ≥ 1, got 0",
        ),
        ("scheduler", "reduce-on-plateau", {"eta_min": -1.0}, "eta_min must be ≥ 0, got -1.0"),
        ("scheduler", "trend", {"adjustment_window": 1}, "adjustment_window must be ≥ 2, got 1"),
        ("scheduler", "trend", {"spike_threshold": 0}, "spike_threshold must be > 0, got 0.0"),
        (
            "scheduler",
            "trend",
            {"divergence_factor": 0.9},
            "divergence_factor must be ≥ 1, got 0.9",
        ),
        (
            "scheduler",
            "trend",
            {"min_improvement": 2},
            "min_improvement must be between 0 and 1, got 2.0",
        ),
        (
            "scheduler",
            "trend",
            {"stall_factor": 1.5},
            "stall_factor must be above 0 and at most 1, got 1.5",
        ),
        (
            "scheduler",
            "trend",
            {"max_adjust_factor": 0.5},
            "max_adjust_factor must be ≥ 1, got 0.5",
        ),
        (
            "scheduler",
            "adaptive-boost",
            {"high_loss_multiplier": 0.5},
            "high_loss_multiplier must be ≥ 1, got 0.5",
        ),
        (
            "scheduler",
            "adaptive-boost",
            {"lr_boost_factor": 0.9},
            "lr_boost_factor must be ≥ 1, got 0.9",
        ),
        ("mu-scheduler", "decay", {"factor": 0}, "factor must be above 0 and at most 1, got 0.0"),
        (
            "mu-scheduler",
            "decay",
            {"factor": 1.02},
            "factor must be above 0 and at most 1, got 1.02",
        ),
        (
            "mu-scheduler",
            "loss-spread",
            {"loss_std_threshold": -1},
            "loss_std_threshold must be ≥ 0, got -1.0",
        ),
        (
            "mu-scheduler",
            "loss-spread",
            {"mu_adjust_factor": 0},
            "mu_adjust_factor must be > 0, got 0.0",
        ),
        ("mu-scheduler", "loss-spread", {"mu_min": -0.1}, "mu_min must be ≥ 0, got -0.1"),
    ],
)
def test_options_out_of_range(kind: str, name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(PluginError) as refused:
        structure_options(REGISTRY.get(kind, name).options, options, path=kind)
    assert str(refused.value) == f"{kind}.{text}"


@pytest.mark.parametrize("record", OURS, ids=lambda record: record.name)
def test_every_number_has_a_range_and_a_meaning(record: LrSchedulerPlugin) -> None:
    for option in describe(record.options):
        assert option.range, option.name
        assert option.help.endswith("."), option.name


@pytest.mark.parametrize("record", OURS, ids=lambda record: record.name)
def test_who_uses_the_history_says_so(
    record: LrSchedulerPlugin | MuSchedulerPlugin, trained, evaluated
) -> None:
    schedule = record.build(record.options())
    base = Span(1.0, 0.5, 0.25, 0.5)
    histories = (trained({"a": 0.0, "b": 9.0}), evaluated(*[1.0] * 30))
    without = schedule.value(31, base, History(), "b")
    changed = any(schedule.value(31, base, history, "b") != without for history in histories)
    assert changed == record.uses_history
