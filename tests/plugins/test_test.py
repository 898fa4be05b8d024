"""`zk0 plugins test`: one line a check, the reason of a failure, and the exit status."""

import json

BAD = """
from zk0_core import CodecPlugin, LrSchedulerPlugin, hookimpl
ZK0_API = 1

class Halving:
    asked = 0
    def value(self, round, base, history, client=None):
        print("asked")
        Halving.asked += 1
        return base.scaled(0.5 ** Halving.asked)

@hookimpl
def zk0_lr_schedulers():
    yield LrSchedulerPlugin(name="acme", summary="s", build=lambda options: Halving())

def plain(options):
    from zk0_core.builtin.codec_float32 import Float32Codec
    return Float32Codec()

@hookimpl
def zk0_codecs():
    yield CodecPlugin(name="acme-plain", summary="s", build=plain)
"""


def test_a_plugin_that_holds(zk0) -> None:
    tested = zk0("plugins", "test", "warm-restarts", "--scheduler.t-0", "3")
    assert tested.status == 0
    lines = tested.out.splitlines()
    assert lines[0] == "scheduler warm-restarts, from zk0-schedulers 0.1.0"
    assert lines[1] == "  ok        The same round, base, history and client give the same value"
    assert lines[-1] == f"{len(lines) - 2} passed, 0 failed, 0 excepted"


def test_a_plugin_that_does_not(install, zk0) -> None:
    install("acme-zk0", BAD)
    tested = zk0("plugins", "test", "acme")
    assert tested.status == 1
    assert tested.status == 1
    (line,) = (line for line in tested.out.splitlines() if line.startswith("  FAILED    The same"))
    assert line.startswith(
        "  FAILED    The same round, base, history and client give the same value: asked twice for "
        "round 13 it gives Span(hi=0.0"
    )
    assert "\n            asked\n" in tested.out, "what it printed is shown with the failure"
    assert " failed, 0 excepted\n" in tested.out


def test_a_package_with_several(install, zk0) -> None:
    install("acme-zk0", BAD)
    tested = zk0("plugins", "test", "acme-zk0", "--kind", "codec", "--json")
    assert tested.status == 0
    rows = json.loads(tested.out)
    assert {row["name"] for row in rows} == {"acme-plain"}
    assert {row["outcome"] for row in rows} == {"passed"}
    assert rows[0].keys() == {"kind", "name", "check", "holds", "outcome", "reason", "output"}
    kinds = {row["kind"] for row in json.loads(zk0("plugins", "test", "acme-zk0", "--json").out)}
    assert kinds == {"scheduler", "codec"}


def test_own_contracts_are_found_with_their_exceptions(zk0) -> None:
    tested = zk0("plugins", "test", "fedadam")
    assert tested.status == 0
    assert (
        "  excepted  The weighted mean of equal updates is that update: the server moves by an "
        "adaptive step"
    ) in tested.out
    assert tested.out.endswith(", 1 excepted\n")


def test_what_is_refused(install, zk0) -> None:
    refused = zk0("plugins", "test", "fedprx")
    assert refused.status == 2
    assert refused.error.startswith("Error: unknown plugin 'fedprx'; choose from ")
    assert refused.error.endswith("; did you mean 'fedprox'?\n")
    refused = zk0("plugins", "test", "fedprox", "--codec.size", "3")
    assert refused.error == "Error: --codec.size: 'fedprox' brings no codec\n"
    refused = zk0("plugins", "test", "fedprox", "--strategy.muu", "3")
    assert (refused.status, refused.out) == (2, "")
    assert refused.error.startswith("Error: strategy.muu is unknown; the choices are personal, ")
    assert refused.error.endswith("; did you mean 'strategy.mu'? (from --strategy.muu)\n")
    install("acme-zk0", "import nothing_like_it")
    assert zk0("plugins", "test", "acme-zk0").error == (
        "Error: plugin 'acme-zk0' of acme-zk0 1.0 is broken: ModuleNotFoundError: No module named "
        "'nothing_like_it'; install the package that has it, or upgrade or uninstall acme-zk0\n"
    )


def test_show_links_the_documentation(install, zk0) -> None:
    install("acme-zk0", BAD)
    assert zk0("plugins", "show", "codec", "acme-plain").out.startswith(
        "codec acme-plain: s\nfrom acme-zk0 1.0, https://example.org/acme\n"
    )


def test_contracts_that_cannot_be_imported_are_told(install, zk0) -> None:
    install("acme-zk0", BAD, contracts="import nothing_like_it\n")
    refused = zk0("plugins", "test", "acme-plain")
    assert refused.status == 2
    assert refused.error == (
        "Error: acme_zk0.contracts of acme-zk0 1.0 cannot be imported: ModuleNotFoundError: No "
        "module named 'nothing_like_it'; install the package that has it, or upgrade or uninstall "
        "acme-zk0\n"
    )
