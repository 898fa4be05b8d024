"""What can be wrong with a plugin: one line that names it, who brought it, and the fix.

Whatever it is, every other plugin goes on working.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from zk0_core import PluginError
from zk0_core.engines.apps import recipe_of
from zk0_core.engines.workers import Workers
from zk0_core.parts import build_objective, build_strategy, installed
from zk0_core.plan import EvaluationPlan, PluginChoice
from zk0_core.plugins import Plugin
from zk0_core.registry import Registry
from zk0_core.server.evaluation import score_model
from zk0_core.server.model import ModelRef
from zk0_core.testing import examples
from zk0_core.testing.loopback import Answer, run_one_round

HEAD = """
import attrs
from zk0_core import StrategyPlugin, hookimpl
ZK0_API = 1
"""
HOOK = (
    HEAD
    + """
@hookimpl
def zk0_strategies():
    yield StrategyPlugin(name="acme", summary="s", {fields})
"""
)
GOOD = HOOK.format(fields="build=lambda options: None")
TAIL = "; correct, upgrade or uninstall acme-zk0"
HOOKS = (
    "zk0_strategies, zk0_lr_schedulers, zk0_mu_schedulers, zk0_dataset_loaders, zk0_evaluators, "
    "zk0_policies, zk0_reporters, zk0_codecs"
)

FAULTS = {
    "a syntax error": (
        "x = = 1",
        "SyntaxError: invalid syntax (acme_zk0.py, line 1)",
        TAIL,
    ),
    "a missing dependency": (
        "import nothing_like_it.inside",
        "ModuleNotFoundError: No module named 'nothing_like_it'",
        "; install the package that has it, or upgrade or uninstall acme-zk0",
    ),
    "an import that leaves the interpreter": ("raise SystemExit(3)", "SystemExit: 3", TAIL),
    "a wrong hook name": (
        HEAD + "@hookimpl\ndef zk0_strategy():\n    yield 1",
        f"unknown hook 'zk0_strategy'; choose from {HOOKS}",
        "; did you mean 'zk0_strategies'?",
    ),
    "wrong hook arguments": (
        HEAD + "@hookimpl\ndef zk0_strategies(plan, options):\n    yield 1",
        "hook 'zk0_strategies' takes no arguments, this one asks for plan, options",
        "; write def zk0_strategies():",
    ),
    "no hook at all": (
        HEAD,
        "module acme_zk0 has no hook",
        "; mark one with @hookimpl, such as zk0_strategies",
    ),
    "something else than a record": (
        HEAD + "@hookimpl\ndef zk0_strategies():\n    yield 'acme'",
        "zk0_strategies yielded 'acme', not a StrategyPlugin",
        "; yield that record",
    ),
    "a hook that returns": (
        HEAD + "@hookimpl\ndef zk0_strategies():\n    return None",
        "zk0_strategies returned NoneType, no records",
        "; write yield StrategyPlugin(...) there",
    ),
    "an options class that is none of attrs": (
        HOOK.format(fields="build=print, options=dict"),
        "options of strategy 'acme' are dict, which is no attrs class",
        "; decorate it with @attrs.frozen(kw_only=True)",
    ),
    "options in place of their class": (
        HOOK.format(fields="build=print, options=attrs.make_class('Mean', ['step'])(1)"),
        "options of strategy 'acme' are Mean(step=1), which is no attrs class",
        "; decorate it with @attrs.frozen(kw_only=True)",
    ),
    "an option of a type that no file can hold": (
        HEAD
        + "@attrs.frozen(kw_only=True)\nclass Options:\n    size: complex = 1j\n"
        + HOOK.format(fields="build=print, options=Options").removeprefix(HEAD),
        "options of strategy 'acme': options cannot have the type <class 'complex'>",
        "; use int, float, str, bool, tuple[str, ...], Mapping[str, str], or any of these or None",
    ),
    "a name with capitals": (
        GOOD.replace('"acme"', '"Acme_Mean"'),
        "the name 'Acme_Mean' of a strategy is not lower-case letters, digits and hyphens",
        "; call it 'acme-mean'",
    ),
    "a proximal weight that is no option": (
        HOOK.format(fields="build=print, uses_mu=True"),
        "strategy 'acme' says uses_mu, and its options have no mu",
        "; add that option",
    ),
    "a name that is no text": (
        GOOD.replace('"acme"', "3"),
        "the name 3 of a strategy is not lower-case letters, digits and hyphens",
        "; call it '3'",
    ),
    "no summary": (
        GOOD.replace('"s"', "None"),
        "summary of strategy 'acme' is None",
        "; write one sentence, on one line",
    ),
    "a summary of two lines": (
        GOOD.replace('"s"', r'"s\nt"'),
        r"summary of strategy 'acme' is 's\nt'",
        "; write one sentence, on one line",
    ),
    "a client's number that is none": (
        HOOK.format(fields="build=print, client_api='1'"),
        "client_api of strategy 'acme' is '1'",
        "; give a whole number",
    ),
    "no build": (
        HOOK.format(fields="build=None"),
        "build of strategy 'acme' is None",
        "; give a function of options",
    ),
    "a build that cannot be called": (
        HOOK.format(fields="build=3"),
        "build of strategy 'acme' is 3",
        "; give a function of options",
    ),
    "a hook that raises": (
        HEAD + "@hookimpl\ndef zk0_strategies():\n    raise KeyError('acme')",
        "KeyError: 'acme'",
        TAIL,
    ),
}


def only(distribution: str = "acme-zk0") -> Plugin:
    (plugin,) = (p for p in Registry.discover().plugins if p.distribution == distribution)
    return plugin


def text_of(name: str) -> str:
    with pytest.raises(PluginError) as refused:
        Registry.discover().get("strategy", name)
    return str(refused.value)


@pytest.mark.parametrize(("code", "reason", "fix"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_in_one_line_and_stops_nobody_else(
    install, zk0, code: str, reason: str, fix: str
) -> None:
    install("acme-zk0", code)
    assert only().status == "broken"
    assert only().reason == reason + fix
    listed = zk0("plugins", "list").out
    (line,) = (line for line in listed.splitlines() if "acme-zk0 1.0" in line)
    assert " broken " in line
    assert line.endswith(reason + fix)
    shown = zk0("plugins", "show", "strategy", "acme-zk0")
    assert shown.status == 2
    assert shown.error == (f"Error: strategy 'acme-zk0' of acme-zk0 1.0 is broken: {reason}{fix}\n")
    # Who mistypes, or looks for what the plugin should have brought, is told of it too.
    assert f"plugin 'acme-zk0' of acme-zk0 1.0 is broken: {reason}" in text_of("fedaverage")
    assert build_strategy(PluginChoice("strategy", "fedavg")) is not None


def test_of_two_that_one_hook_calls_the_same_the_first_is_usable(install) -> None:
    yielding = GOOD.splitlines(keepends=True)[-1]
    install("acme-zk0", GOOD + yielding)
    first, second = (p for p in Registry.discover().plugins if p.distribution == "acme-zk0")
    assert (first.name, first.status) == ("acme", "ok")
    assert (second.status, second.reason) == (
        "broken",
        "zk0_strategies yielded 'acme' twice; give each strategy a name of its own",
    )


def test_what_a_plugin_prints_is_not_in_the_json(install, zk0) -> None:
    install("acme-zk0", "print('hello')\n" + GOOD)
    listed = zk0("plugins", "list", "--json")
    assert "acme" in {row["name"] for row in json.loads(listed.out)}
    assert listed.error == "hello\n"


def test_another_interface(install, zk0) -> None:
    install("acme-zk0", GOOD.replace("ZK0_API = 1", "ZK0_API = 2"))
    shown = zk0("plugins", "show", "strategy", "acme-zk0")
    assert shown.error == (
        "Error: strategy 'acme-zk0' of acme-zk0 1.0 is unsupported: it states ZK0_API 2, this zk0 "
        "has 1; install a matching version of acme-zk0 or zk0-core\n"
    )
    assert "fedavg" in Registry.discover().names("strategy")


def test_a_duplicate_name_is_a_conflict_of_that_name_alone(install, zk0) -> None:
    install("acme-zk0", GOOD, version="1.1")
    install("other-zk0", GOOD, version="2.2")
    lines = [line for line in zk0("plugins", "list").out.splitlines() if " acme " in line]
    assert [line.split()[2:5] for line in lines] == [
        ["conflict", "acme-zk0", "1.1"],
        ["conflict", "other-zk0", "2.2"],
    ]
    assert lines[0].endswith("other-zk0 2.2 brings one too; uninstall one")
    assert zk0("plugins", "show", "strategy", "acme").error == (
        "Error: strategy 'acme' is in conflict: both acme-zk0 1.1 and other-zk0 2.2 bring one; "
        "uninstall one, put it into [plugins] disabled of the run file or, where there is none, "
        "leave it out of ZK0_LOAD_PLUGINS\n"
    )
    assert "fedavg" in Registry.discover().names("strategy")


@pytest.mark.parametrize(
    ("fields", "build"),
    [
        ("build=lambda options: 1 / 0", build_strategy),
        ("build=print, build_objective=lambda options: 1 / 0", build_objective),
    ],
)
def test_a_build_that_raises(install, fields: str, build) -> None:
    install("acme-zk0", HOOK.format(fields=fields))
    with pytest.raises(PluginError) as refused:
        build(PluginChoice("strategy", "acme"))
    assert str(refused.value) == (
        "strategy 'acme' of acme-zk0 1.0 cannot be built: ZeroDivisionError: division by zero; "
        "correct, upgrade or uninstall acme-zk0"
    )
    assert build_strategy(PluginChoice("strategy", "fedavg")) is not None


def test_a_build_that_returns_nothing(install) -> None:
    install("acme-zk0", GOOD)
    with pytest.raises(PluginError) as refused:
        build_strategy(PluginChoice("strategy", "acme"))
    assert str(refused.value) == (
        "strategy 'acme' of acme-zk0 1.0 cannot be built: build returned None; see zk0 plugins "
        "test acme"
    )


RAISING = """
from zk0_core import LrSchedulerPlugin, hookimpl
ZK0_API = 1
class Broken:
    def value(self, round, base, history, client=None):
        return {}[round]
@hookimpl
def zk0_lr_schedulers():
    yield LrSchedulerPlugin(name="acme", summary="s", build=lambda options: Broken())
"""


def test_what_is_built_may_raise_and_its_place_is_told(install, zk0) -> None:
    install("acme-zk0", RAISING)
    given = ("--lr", "0.001", "--batch-size", "8", "--rounds", "2")
    failed = zk0("plan", "preview", "--scheduler", "acme", *given)
    assert failed.status == 1
    assert failed.error == (
        "Error: KeyError: 1, in acme_zk0 line 6 of acme-zk0 1.0 (--debug shows where)\n"
    )


EXPLODING = """
class Own(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")
def explode():
    raise Own("this", "that")
"""


def test_what_a_plugin_raises_in_a_worker_tells_its_place(install) -> None:
    """Also what cannot be sent from one process to another."""
    install("acme-zk0", EXPLODING + GOOD)
    import acme_zk0

    workers = Workers(1, 1)
    try:
        with pytest.raises(PluginError) as told:
            workers.submit(0, acme_zk0.explode).result()
        assert workers.submit(0, len, "still there").result() == 11
    finally:
        workers.close()
    assert str(told.value) == "Own: this and that, in acme_zk0 line 6 of acme-zk0 1.0"


SILENT = """
from zk0_core import EvaluatorPlugin, hookimpl
ZK0_API = 1
class Silent:
    def evaluate(self, request):
        return None
@hookimpl
def zk0_evaluators():
    yield EvaluatorPlugin(name="acme", summary="s", build=lambda options: Silent())
"""


def test_an_evaluator_that_returns_no_figures(install, tmp_path: Path) -> None:
    install("acme-zk0", SILENT)
    choice = PluginChoice("evaluator", "acme", distribution="acme-zk0", version="1.0")
    plan = examples.plan(evaluations=(EvaluationPlan("tiny:", choice),))
    model = ModelRef(recipe_of(plan), examples.dataset().schema, {}, params=None)
    with pytest.raises(PluginError) as refused:
        score_model(plan, model, 1, tmp_path, Workers(1, 1))
    assert str(refused.value) == (
        "evaluator 'acme' of acme-zk0 1.0 returned NoneType, no figures by name; choose another "
        "evaluator, or correct it: zk0 plugins test acme"
    )


def test_a_policy_that_cannot_be_built_stops_the_plan(install, zk0) -> None:
    code = HOOK.format(fields="build=lambda options: 1 / 0")
    install(
        "acme-zk0",
        code.replace("StrategyPlugin", "PolicyPlugin").replace("strategies", "policies"),
    )
    refused = zk0("run", "--policy", "acme", "--dry-run")
    assert refused.status == 2
    assert refused.error == (
        "Error: policy 'acme' of acme-zk0 1.0 cannot be built: ZeroDivisionError: division by "
        "zero; correct, upgrade or uninstall acme-zk0\n"
    )


def test_a_build_that_says_what_is_wrong_is_let_speak(install) -> None:
    code = "def build(options):\n    from zk0_core import UsageError\n    raise UsageError('so')\n"
    install("acme-zk0", code + HOOK.format(fields="build=build"))
    with pytest.raises(Exception, match=r"^so$"):
        build_strategy(PluginChoice("strategy", "acme"))


MISSHAPEN = """
import numpy as np

class Misshapen:
    def begin(self, params, round):
        self.params = params
    def add(self, update):
        pass
    def finish(self):
        return {RESULT}
    def order(self, client):
        return {}
    def state(self):
        return {}
    def restore(self, state):
        pass
"""


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (
            "{**self.params, 'head.bias': np.zeros(3, np.float32)}",
            "head.bias as float32 (3,), not float32 (5,)",
        ),
        (
            "{**self.params, 'head.bias': np.zeros(5)}",
            "head.bias as float64 (5,), not float32 (5,)",
        ),
        (
            "{'head': self.params['head.bias']}",
            "parameters missing: head.bias, head.weight, layer.scale and 1 more, unknown: head",
        ),
    ],
)
def test_a_strategy_that_returns_wrong_shapes(install, result: str, problem: str) -> None:
    install(
        "acme-zk0",
        MISSHAPEN.replace("{RESULT}", result)
        + HOOK.format(fields="build=lambda options: Misshapen()"),
    )
    choice = PluginChoice("strategy", "acme", distribution="acme-zk0", version="1.0")
    params = examples.tensors()
    with pytest.raises(PluginError) as refused:
        run_one_round(
            build_strategy(choice),
            installed().find("strategy", "acme").record,
            params,
            {"ann": Answer(1, {name: np.zeros_like(array) for name, array in params.items()})},
            choice=choice,
        )
    assert str(refused.value) == (
        f"strategy 'acme' of acme-zk0 1.0 returned {problem}; choose another strategy, or correct "
        "it: zk0 plugins test acme"
    )
