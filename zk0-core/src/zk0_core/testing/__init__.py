"""What a plugin of each kind must hold, as tests: a subclass of two lines is a plugin's own test.

    from zk0_core.testing import StrategyContract

    class TestMean(StrategyContract):
        plugin = "mean"

pytest collects such a class like any other, and `zk0 plugins test mean` runs the same checks
without pytest. The fixtures of `zk0_core.testing.fixtures` come along where pytest is installed
(`pip install 'zk0-core[testing]'`).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zk0_core.testing.codec import CodecContract
    from zk0_core.testing.contract import Contract, check
    from zk0_core.testing.evaluator import EvaluatorContract
    from zk0_core.testing.loader import LoaderContract
    from zk0_core.testing.objective import ObjectiveContract
    from zk0_core.testing.policy import PolicyContract
    from zk0_core.testing.reporter import ReporterContract
    from zk0_core.testing.schedule import MuScheduleContract, ScheduleContract
    from zk0_core.testing.strategy import StrategyContract

__all__ = [
    "CodecContract",
    "Contract",
    "EvaluatorContract",
    "LoaderContract",
    "MuScheduleContract",
    "ObjectiveContract",
    "PolicyContract",
    "ReporterContract",
    "ScheduleContract",
    "StrategyContract",
    "check",
]

_MODULES = {
    "CodecContract": "codec",
    "Contract": "contract",
    "EvaluatorContract": "evaluator",
    "LoaderContract": "loader",
    "MuScheduleContract": "schedule",
    "ObjectiveContract": "objective",
    "PolicyContract": "policy",
    "ReporterContract": "reporter",
    "ScheduleContract": "schedule",
    "StrategyContract": "strategy",
    "check": "contract",
}


def __getattr__(name: str) -> Any:
    """Import a contract when it is asked for: every pytest imports this package, for fixtures."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
