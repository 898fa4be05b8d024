"""What a run file disables is loaded by no process of the server; a node goes by its own list."""

import json
import os
from pathlib import Path

import pytest

from tests.network.world import World

pytestmark = pytest.mark.network

LOADER = '''
import attrs

from zk0_core import DatasetLoaderPlugin, hookimpl
from zk0_toy.loader import ToyLoader

ZK0_API = 1


class HeldOut(ToyLoader):
    """All that it opens is for evaluation."""

    def open(self, uri, progress=None):
        return attrs.evolve(super().open(uri, progress), held_out=3)


@hookimpl
def zk0_dataset_loaders():
    yield DatasetLoaderPlugin(name="acme", summary="s", build=lambda options: HeldOut())
'''
MORE = """
[[evaluations]]
dataset = "acme:test"
evaluator = "policy-loss"
[plugins]
disabled = {disabled}
"""


def install(folder: Path, distribution: str, code: str) -> str:
    """Install a distribution of one module in a folder of its own, and return that."""
    module = distribution.replace("-", "_")
    metadata = folder / module / f"{module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / module / f"{module}.py").write_text(code)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(f"[zk0]\n{distribution} = {module}\n")
    return str(folder / module)


def test_the_server_loads_nothing_that_the_run_file_disables(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = tmp_path / "imported"
    touch = f"import pathlib\npathlib.Path({str(imported)!r}).touch()\n"
    paths = [install(tmp_path, "acme-one", LOADER), install(tmp_path, "acme-two", touch + LOADER)]
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    world.start_server()
    world.enroll("ann")
    world.start_node("ann", ZK0_LOAD_PLUGINS="zk0-toy,zk0-core,zk0-strategies")
    world.await_nodes("ann")
    run_file = world.run_file("ann", rounds=1)
    alone = run_file.read_text()
    run_file.write_text(alone + MORE.format(disabled='["acme-two"]'))
    done = world.zk0("run", run_file, "--federation", "main", "--output", "remote")
    assert done.returncode == 0, done.stderr + world.said()
    last = json.loads((world.path / "remote/history.jsonl").read_text().splitlines()[-1])
    assert last["policy_loss"] > 0
    assert not imported.exists()

    run_file.write_text(alone + MORE.format(disabled="[]"))
    refused = world.zk0("run", run_file, "--federation", "main")
    assert refused.returncode == 2
    assert "loader 'acme' is in conflict: both acme-one 1.0 and acme-two 1.0" in refused.stderr
    assert imported.exists()
