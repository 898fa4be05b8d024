"""Two packages that bring a loader for one scheme: the run file says which, wherever it runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from environment import REPOSITORY

from zk0_core import PluginError
from zk0_core.parts import following, installed, loader_for
from zk0_core.registry import Registry
from zk0_core.resolve import resolve_plan
from zk0_core.runfile import settings_from_toml

TOY = REPOSITORY / "tests" / "network" / "plugin"
"""A policy that trains on any dataset in no time."""

LOADER = '''
import hashlib

import attrs

from zk0_core import DatasetLoaderPlugin, hookimpl
from zk0_core.testing import examples

ZK0_API = 1


def hash_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Loader:
    """Opens `acme:NAME`; all that `acme:test` has is held out."""

    def open(self, uri, progress=None):
        dataset = examples.dataset(held_out=3 if uri == "acme:test" else 0)
        episodes = tuple(
            attrs.evolve(episode, hash=hash_of(f"{uri} {episode.index}"))
            for episode in dataset.episodes
        )
        return attrs.evolve(dataset, uri=uri, fingerprint=uri, episodes=episodes)

    def prepare(self, uris, workers, progress=None):
        pass


@hookimpl
def zk0_dataset_loaders():
    yield DatasetLoaderPlugin(name="acme", summary="s", build=lambda options: Loader())
'''
RUN_FILE = """
rounds = 1
local_steps = 2
workers = 2
device = "cpu"
engine = "{engine}"
reporters = []
policy = {{ name = "toy" }}
clients = [{{ dataset = "acme:ann" }}, {{ dataset = "acme:bob" }}]
evaluations = [{{ dataset = "acme:test", evaluator = "policy-loss" }}]
plugins = {{ disabled = {disabled} }}
"""
CONFLICT = (
    "loader 'acme' is in conflict: both acme-one 1.0 and acme-two 1.0 bring one; uninstall one, "
    "put it into [plugins] disabled of the run file or, where there is none, leave it out of "
    "ZK0_LOAD_PLUGINS"
)


@pytest.fixture
def imported(install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install both; return a file that is there once the second one was imported."""
    monkeypatch.syspath_prepend(TOY)
    file = tmp_path / "imported"
    install("acme-one", LOADER)
    install("acme-two", f"import pathlib\npathlib.Path({str(file)!r}).touch()\n{LOADER}")
    return file


def run_file(folder: Path, *disabled: str, engine: str = "local") -> Path:
    path = folder / "run.toml"
    path.write_text(RUN_FILE.format(disabled=json.dumps(disabled), engine=engine))
    return path


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_no_process_of_a_run_loads_what_is_disabled(
    engine: str, imported: Path, site: Path, tmp_path: Path
) -> None:
    paths = (TOY, site / "acme_one", site / "acme_two", os.environ.get("PYTHONPATH"))
    path, output = run_file(tmp_path, "acme-two", engine=engine), tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "zk0_cli", "run", path, "--output", output],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in paths if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plan = json.loads((output / "plan.json").read_text())
    assert plan["disabled"] == ["acme-two"]
    assert [loader["distribution"] for loader in plan["loaders"]] == ["acme-one"]
    last = json.loads((output / "history.jsonl").read_text().splitlines()[-1])
    assert [client["client"] for client in last["clients"]] == ["ann", "bob"]
    assert last["policy_loss"] > 0
    assert not imported.exists()


def test_without_it_the_run_ends_with_the_conflict(imported: Path, zk0, tmp_path: Path) -> None:
    path = run_file(tmp_path)
    ended = zk0("run", path, "--output", tmp_path / "run")
    assert ended.status == 2
    assert ended.error == f"Error: {CONFLICT} (from dataset 'acme:ann' of client 'ann')\n"
    assert imported.exists()


def test_a_command_that_runs_nothing_heeds_it_too(imported: Path, zk0, tmp_path: Path) -> None:
    shown = zk0("run", run_file(tmp_path, "acme-two"), "--dry-run", "--uplink-mbps", "1")
    assert shown.status == 0, shown.error
    assert shown.out.startswith("# a round on the wire: ")
    assert not imported.exists()


def test_a_plan_is_followed_as_long_as_it_is_carried_out(
    imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_from_toml(run_file(tmp_path, "acme-two").read_text(), "run.toml")
    plan = resolve_plan(settings, Registry.discover(settings.disabled))
    with following(plan):
        assert type(loader_for("acme:ann")).__module__ == "acme_one"
        assert type(loader_for("local:/data")).__name__ == "LocalLoader"
    with pytest.raises(PluginError) as refused:
        loader_for("acme:ann")
    assert str(refused.value) == CONFLICT
    # What was chosen stays chosen, whatever is installed since.
    with following(attrs.evolve(plan, disabled=())):
        assert type(loader_for("acme:ann")).__module__ == "acme_one"


def test_a_node_chooses_by_its_environment(imported: Path, monkeypatch) -> None:
    """It has no run file, and follows no plan of a server's."""
    monkeypatch.setenv("ZK0_LOAD_PLUGINS", "acme-one")
    installed.cache_clear()
    assert type(loader_for("acme:ann")).__module__ == "acme_one"
    assert not imported.exists()
