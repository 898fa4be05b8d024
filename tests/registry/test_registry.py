import pytest

from zk0_core.errors import PluginError
from zk0_core.plugins import KINDS, Plugin
from zk0_core.registry import Registry

GOOD = """
from zk0_core import StrategyPlugin, hookimpl
ZK0_API = 1

@hookimpl
def zk0_strategies():
    yield StrategyPlugin(name="{name}", summary="s", build=lambda options: None)
"""


def only(distribution: str, registry: Registry | None = None) -> Plugin:
    plugins = (registry or Registry.discover()).plugins
    (plugin,) = (plugin for plugin in plugins if plugin.distribution == distribution)
    return plugin


def text_of(kind: str, name: str) -> str:
    with pytest.raises(PluginError) as refused:
        Registry.discover().get(kind, name)
    return str(refused.value)


def test_finds_what_is_installed(install) -> None:
    install("acme-zk0", GOOD.format(name="acme"), version="2.3")
    plugin = only("acme-zk0")
    assert (plugin.kind, plugin.name, plugin.status) == ("strategy", "acme", "ok")
    assert plugin.source == "acme-zk0 2.3"
    assert plugin.entry_point == "acme-zk0-entry"
    assert Registry.discover().get("strategy", "acme") is not None


def test_every_kind_has_what_zk0_brings() -> None:
    registry = Registry.discover()
    assert "fedprox" in registry.names("strategy")
    assert "warm-restarts" in registry.names("scheduler")
    assert "constant" in registry.names("mu-scheduler")
    assert {"sim", "local"} <= set(registry.names("loader"))
    assert {"smolvla-tiny", "lerobot"} <= set(registry.names("policy"))
    assert {"float32", "bfloat16"} <= set(registry.names("codec"))
    assert {"policy-loss", "sim-success"} <= set(registry.names("evaluator"))
    assert {"console", "charts"} <= set(registry.names("reporter"))
    assert len(KINDS) == 8


def test_unknown_name_is_told_the_choices_and_the_nearest() -> None:
    text = text_of("strategy", "fedprx")
    assert text.startswith("unknown strategy 'fedprx'; choose from ")
    assert "fedavg" in text
    assert "did you mean 'fedprox'?" in text


def test_using_a_broken_plugin_says_why(install) -> None:
    install("acme-zk0", "import zk0_is_not_called_this")
    reason = (
        "ModuleNotFoundError: No module named 'zk0_is_not_called_this'; install the package that "
        "has it, or upgrade or uninstall acme-zk0"
    )
    text = text_of("strategy", "acme")
    assert f"plugin 'acme-zk0-entry' of acme-zk0 1.0 is broken: {reason}" in text
    text = text_of("strategy", "acme-zk0-entry")
    assert text == f"strategy 'acme-zk0-entry' of acme-zk0 1.0 is broken: {reason}"


def test_a_hook_that_raises_loses_only_what_it_had_not_yielded(install) -> None:
    install("acme-zk0", GOOD.format(name="acme") + "    raise ValueError('no more')\n")
    plugins = [p for p in Registry.discover().plugins if p.distribution == "acme-zk0"]
    assert [(p.kind, p.status) for p in plugins] == [("strategy", "ok"), ("strategy", "broken")]
    assert plugins[1].reason == "ValueError: no more; correct, upgrade or uninstall acme-zk0"


@pytest.mark.parametrize(
    ("stated", "said"), [("ZK0_API = 99", "ZK0_API 99"), ("ZK0_API_ = 1", "no ZK0_API")]
)
def test_another_interface_is_unsupported(install, stated: str, said: str) -> None:
    install("acme-zk0", GOOD.format(name="acme").replace("ZK0_API = 1", stated))
    plugin = only("acme-zk0")
    assert plugin.status == "unsupported"
    assert plugin.reason == (
        f"it states {said}, this zk0 has 1; install a matching version of acme-zk0 or zk0-core"
    )
    assert f"'acme-zk0-entry' of acme-zk0 1.0 is unsupported: it states {said}" in text_of(
        "strategy", "acme"
    )


def test_two_of_one_name_are_a_conflict_when_used(install) -> None:
    install("acme-one", GOOD.format(name="acme"), version="1.1")
    install("acme-two", GOOD.format(name="acme"), version="2.2")
    registry = Registry.discover()
    assert only("acme-one", registry).status == only("acme-two", registry).status == "conflict"
    assert only("acme-one", registry).reason == "acme-two 2.2 brings one too; uninstall one"
    assert text_of("strategy", "acme") == (
        "strategy 'acme' is in conflict: both acme-one 1.1 and acme-two 2.2 bring one; "
        "uninstall one, put it into [plugins] disabled of the run file or, where there is none, "
        "leave it out of ZK0_LOAD_PLUGINS"
    )
    assert registry.find("strategy", "acme", distribution="acme-two").version == "2.2"
    # Disabling one ends the conflict.
    assert Registry.discover(["acme-one"]).find("strategy", "acme").version == "2.2"


def test_disabled_by_the_run_file(install) -> None:
    install("acme-zk0", GOOD.format(name="acme"))
    for name in ("acme-zk0", "acme-zk0-entry"):
        plugin = only("acme-zk0", Registry.discover([name]))
        assert plugin.status == "disabled"
        assert plugin.reason == "[plugins] disabled of the run file names it"


def test_allow_list(install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("acme-zk0", GOOD.format(name="acme"))
    monkeypatch.setenv("ZK0_LOAD_PLUGINS", "zk0-strategies, builtin")
    registry = Registry.discover()
    assert only("acme-zk0", registry).status == "disabled"
    assert only("acme-zk0", registry).reason == "ZK0_LOAD_PLUGINS does not name it"
    assert registry.names("scheduler") == []
    assert "fedprox" in registry.names("strategy")
    assert "is disabled: ZK0_LOAD_PLUGINS does not name it" in text_of("strategy", "acme")
