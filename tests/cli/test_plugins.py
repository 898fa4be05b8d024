import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zk0_core.plugins import KINDS


def test_list_shows_every_kind(zk0) -> None:
    shown = zk0("plugins", "list")
    assert shown.status == 0
    lines = shown.out.splitlines()
    assert lines[0].split() == ["KIND", "NAME", "STATUS", "FROM", "SUMMARY"]
    assert {line.split()[0] for line in lines[1:]} == set(KINDS)
    assert all(line.split()[2] == "ok" for line in lines[1:])


def test_list_of_one_kind_as_json(zk0) -> None:
    listed = json.loads(zk0("plugins", "list", "--kind", "strategy", "--json").out)
    assert {entry["kind"] for entry in listed} == {"strategy"}
    (fedprox,) = (entry for entry in listed if entry["name"] == "fedprox")
    assert fedprox["distribution"] == "zk0-strategies"
    assert fedprox["status"] == "ok"


def test_show(zk0) -> None:
    shown = zk0("plugins", "show", "scheduler", "warm-restarts")
    assert shown.out.startswith("scheduler warm-restarts: Down to eta_min over a cycle")
    assert "\nfrom zk0-schedulers 0.1.0\n" in shown.out
    assert "FLAG                 TYPE          DEFAULT  RANGE  MEANING" in shown.out
    assert "--scheduler.t-mult   whole number  2        ≥ 1    How many" in shown.out
    listed = json.loads(zk0("plugins", "show", "strategy", "fedprox", "--json").out)
    (mu,) = (option for option in listed["options"] if option["name"] == "mu")
    assert (mu["flag"], mu["default"], mu["range"]) == ("--strategy.mu", "0.01", "≥ 0")
    assert (listed["distribution"], listed["version"]) == ("zk0-strategies", "0.1.0")
    assert zk0("plugins", "show", "codec", "float32").out.endswith("\nno options\n")


def test_show_unknown(zk0) -> None:
    shown = zk0("plugins", "show", "strategy", "fedprx")
    assert shown.status == 2
    assert shown.error.startswith("Error: unknown strategy 'fedprx'; choose from ")


def test_allow_list(zk0, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZK0_LOAD_PLUGINS", "zk0-strategies")
    assert "disabled" not in zk0("plugins", "list").out
    shown = zk0("plugins", "list", "--all").out
    assert "disabled  zk0-schedulers" in shown
    assert "ZK0_LOAD_PLUGINS does not name it" in shown


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two bad plugins, as `pip install` leaves them."""
    for name, code in (("acme_bad", "import nothing_like_it"), ("acme_new", "ZK0_API = 2")):
        metadata = tmp_path / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (tmp_path / f"{name}.py").write_text(code)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[zk0]\n{name} = {name}\n")
    return tmp_path


def test_bad_plugins_are_listed_with_the_reason_and_stop_only_who_needs_them(site: Path) -> None:
    def zk0(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [Path(sys.executable).parent / "zk0", *arguments],
            env={**os.environ, "PYTHONPATH": str(site)},
            capture_output=True,
            text=True,
            check=False,
        )

    listed = zk0("plugins", "list")
    assert listed.returncode == 0
    assert "broken       acme-bad 1.0" in listed.stdout
    assert "ModuleNotFoundError: No module named 'nothing_like_it'" in listed.stdout
    assert "unsupported  acme-new 1.0" in listed.stdout
    used = zk0("run", "--strategy", "acme_bad", "--dry-run")
    assert used.returncode == 2
    assert used.stderr == (
        "Error: strategy 'acme_bad' of acme-bad 1.0 is broken: ModuleNotFoundError: "
        "No module named 'nothing_like_it'; install the package that has it, or upgrade or "
        "uninstall acme-bad (from --strategy)\n"
    )
    used = zk0("run", "--strategy", "acme_new", "--dry-run")
    assert "is unsupported: it states ZK0_API 2, this zk0 has 1" in used.stderr
    assert zk0("run", "--lr", "1e-3", "--batch-size", "8", "--dry-run").returncode == 0
