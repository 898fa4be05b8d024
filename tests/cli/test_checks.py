import importlib.metadata
import json
import shutil
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.foreign import ForeignAuthority
from zk0_cli import checks
from zk0_cli.checks_node import check_certificates, check_datasets, check_servers
from zk0_core.federation.certificates import ensure_authority, ensure_node_key
from zk0_core.federation.folder import NodeFolder, ServerFolder
from zk0_core.federation.processes import free_port
from zk0_core.federation.records import NodeSettings, ServerSettings, write
from zk0_core.files import write_bytes

Usage = namedtuple("Usage", "total used free")


def test_doctor_finds_this_machine_fit(zk0) -> None:
    shown = zk0("doctor", "--json")
    results = json.loads(shown.out)
    failed = [result for result in results if not result["ok"]]
    assert failed == []
    assert shown.status == 0
    names = {result["name"] for result in results}
    assert names >= {"python", "torch", "lerobot", "flwr", "mujoco", "video", "device", "cache"}


def test_doctor_says_the_fix_and_fails(zk0, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [
        checks.CheckResult("python", True, "3.12.1", "never shown"),
        checks.CheckResult("disk", False, "0.1 GB free", "free some"),
    ]
    monkeypatch.setattr(checks, "all_checks", lambda: results)
    shown = zk0("doctor")
    assert shown.status == 1
    assert shown.out == "ok    python  3.12.1\nFAIL  disk    0.1 GB free; free some\n"


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(1, 1, 5e8))
    result = checks.check_disk("disk", tmp_path / "not" / "there")
    assert (result.ok, result.found) == (False, "0.5 GB free")
    assert result.fix == f"zk0 needs 2 GB at {tmp_path}; free some, or use another disk"


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "file"))
    result = checks.check_cache()
    assert not result.ok
    assert result.found == f"{tmp_path}/file cannot be written: File exists"
    assert result.fix.endswith("or set ZK0_CACHE to another folder")


def test_a_package_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.12.0+cu128")
    result = checks.check_package("torch", "json", "2.7", "2.12")
    assert not result.ok
    assert result.found == "2.12.0+cu128, zk0 is made for 2.7 up to below 2.12"
    assert result.fix == "pip install 'torch>=2.7,<2.12'"


def test_a_package_that_is_not_there() -> None:
    result = checks.check_package("not-there-at-all", "json", "1", "2")
    assert (result.ok, result.found) == (False, "not installed")


def test_a_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("raise OSError('libcuda.so:\\n not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torn", raising=False)
    result = checks.check_package("attrs", "torn", "1", "99")
    assert (result.ok, result.found) == (False, "OSError: libcuda.so: not found")


def test_a_front_for_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs nginx; where it is missing, the line says how to have it."""
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    result = checks.check_front()
    assert (result.ok, result.found) == (
        True,
        "built-in; nginx is faster with large models: sudo apt-get install nginx-light",
    )
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/usr/sbin/{name}")
    assert checks.check_front().found == "/usr/sbin/nginx"


def test_datasets_are_looked_at_where_they_are_named(tmp_path: Path) -> None:
    good, gone = "sim:lift?region=left&episodes=2", f"local:{tmp_path}/gone"
    both = f"{good} + {gone}"
    fit, unfit, joined = check_datasets([good, gone, both])
    assert (joined.name, joined.ok, joined.found) == (both, False, f"no folder {tmp_path}/gone")
    assert (fit.name, fit.ok) == (good, True)
    assert fit.found.startswith("2 episodes, ")
    assert (unfit.name, unfit.ok, unfit.found) == (gone, False, f"no folder {tmp_path}/gone")
    assert unfit.fix


def test_certificates_of_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From elsewhere, and of a server that runs: its own is made anew at the next start."""
    monkeypatch.setenv("ZK0_HOME", str(tmp_path))
    assert check_certificates() == []
    ends = {"desk": 20.5, "lab": 90}
    pairs = {name: ForeignAuthority(tmp_path / name).sign(days=ends[name]) for name in ends}
    pairs["none"] = (tmp_path / "none.pem", tmp_path / "none.key")
    for name, (certificate, key) in pairs.items():
        settings = ServerSettings(certificate=str(certificate), key=str(key))
        write(ServerFolder.of(name).settings, settings)
    write(ServerFolder.of("own").settings, ServerSettings())
    until = [f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in ends.values()]
    soon, late, missing = check_certificates()
    certificate, key = pairs["desk"]
    assert soon == checks.CheckResult(
        "certificate, desk",
        False,
        f"{certificate} holds until {until[0]}, in 20 days",
        f"put a new one there, and its key into {key}: the server takes them up by itself",
    )
    assert late == checks.CheckResult("certificate, lab", True, f"holds until {until[1]}")
    assert (missing.name, missing.ok) == ("certificate, none", False)
    assert missing.found == (
        f"certificate {pairs['none'][0]} cannot be read: No such file or directory"
    )


def test_a_server_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two federations that this machine has nodes of; a server alone is nothing to check."""
    monkeypatch.setenv("ZK0_HOME", str(tmp_path))
    assert check_servers() == []
    for name in ("desk", "lab"):
        folder = NodeFolder.of(name)
        ensure_node_key(folder.key)
        write(folder.settings, NodeSettings(server=f"127.0.0.1:{free_port()}", name="left"))
    write_bytes(NodeFolder.of("lab").ca, ensure_authority(tmp_path / "authority").read_bytes())
    untrusting, unreached = check_servers()
    assert untrusting.name == "server, desk"
    assert untrusting.found == f"{NodeFolder.of('desk').ca} is not there"
    assert untrusting.fix.startswith("enroll first: zk0 client enroll ")
    assert (unreached.name, unreached.ok) == ("server, lab", False)
    assert unreached.found.startswith("nobody listens at 127.0.0.1:")
    assert unreached.fix == (
        "check the address and the port, and that the server runs: zk0 server status"
    )
