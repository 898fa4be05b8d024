"""A run, as small as runs get, and what the documents say of its output."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import REPOSITORY, blocks, first_cells

from tests.hub.server import TOKEN, hub

pytestmark = pytest.mark.long

ZK0 = Path(sys.executable).parent / "zk0"


def called(*command: object, cwd: Path, **environment: str) -> str:
    result = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run of two small clients and one round left `outputs/demo`."""
    folder = tmp_path_factory.mktemp("run")
    run_file = """
        rounds = 1
        local_steps = 2
        batch_size = 4
        [policy]
        name = "smolvla-tiny"
        [[clients]]
        dataset = "sim:lift?region=left&episodes=2"
        [[clients]]
        dataset = "sim:lift?region=right&episodes=2"
        [[evaluations]]
        dataset = "sim:lift?region=all&split=eval&episodes=2"
        evaluator = "policy-loss"
        [[evaluations]]
        dataset = "sim:lift?region=all"
        evaluator = "sim-success"
        rollouts = 2
        final_rollouts = 2
        videos = 1
    """
    (folder / "small.toml").write_text(run_file)
    called(ZK0, "run", "small.toml", "--output", "outputs/demo", cwd=folder)
    return folder


def test_a_saved_model_is_scored(folder: Path) -> None:
    model = "outputs/demo/models/final"
    shown = called(ZK0, "eval", model, "--evaluator.final-rollouts", 2, cwd=folder)
    assert re.search(r"^success_rate +\d", shown, re.MULTILINE)
    assert re.search(r"^rollouts +2$", shown, re.MULTILINE)


def test_a_saved_model_is_replayed(folder: Path) -> None:
    (command,) = (
        command
        for block in blocks(REPOSITORY / "docs" / "evaluators.md")
        for command in block.commands()
    )
    _, *arguments = shlex.split(command)
    shown = called(ZK0, *arguments, cwd=folder)
    assert re.search(r"^error_by_joint gripper\.pos +\d", shown, re.MULTILINE)
    assert re.search(r"^units gripper\.pos +percent$", shown, re.MULTILINE)
    assert (folder / "videos" / "lift-all" / "episode_0.mp4").is_file()


def test_a_saved_model_is_scored_by_stock_lerobot(folder: Path) -> None:
    (command,) = (
        command
        for block in blocks(REPOSITORY / "README.md")
        for command in block.commands()
        if command.startswith("lerobot-eval ")
    )
    _, *arguments = shlex.split(command.replace("n_episodes=20", "n_episodes=1"))
    called(Path(sys.executable).parent / "lerobot-eval", *arguments, cwd=folder)


def test_a_moved_model_opens_in_stock_lerobot(folder: Path, tmp_path: Path) -> None:
    original, moved = (
        place / "outputs" / "demo" / "models" / "final" for place in (folder, tmp_path)
    )
    shutil.copytree(original, moved)
    readme = list(blocks(REPOSITORY / "README.md"))
    (repair,) = (c for block in readme for c in block.commands() if c.startswith("sed "))
    called("bash", "-c", repair, cwd=moved)
    (code,) = (block.text for block in readme if block.language == "python" and not block.file)
    check = "import sys; assert not any(name.startswith('zk0') for name in sys.modules)"
    original.rename(original.with_name("away"))
    try:
        called(sys.executable, "-c", code + check, cwd=tmp_path)
    finally:
        original.with_name("away").rename(original)


def test_a_published_model_opens_as_its_card_says(folder: Path, tmp_path: Path) -> None:
    """Downloading is left out: what the Hub was given is written to where it would be."""
    with hub() as server:
        environment = {
            **{"HF_ENDPOINT": server.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0"},
            "HF_HUB_DISABLE_XET": "1",
        }
        called(ZK0, "push", "outputs/demo", "ann/lift", cwd=folder, **environment)
        files = server.repositories["ann/lift"].files
    for name, content in files.items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    command, code = (block for block in blocks(tmp_path / "model" / "README.md"))
    download, repair = command.commands()
    assert download == "hf download ann/lift --local-dir model"
    called("bash", "-c", repair, cwd=tmp_path)
    called(sys.executable, "-c", code.text, cwd=tmp_path)


def test_every_file_of_a_run_is_described(folder: Path) -> None:
    described = first_cells(REPOSITORY / "docs" / "output-folder.md", "The output folder")
    patterns = [
        re.compile(re.sub("N(?=[/_.]|$)", r"\\d+", cell).replace("NAME", "[^/]+"))
        for cell in described
    ]
    root = folder / "outputs" / "demo"
    for path in sorted(root.rglob("*")):
        if path.is_file():
            name = path.relative_to(root).as_posix()
            assert any(pattern.match(name) for pattern in patterns), name
    # Left by a run with privacy only.
    patterns = [pattern for pattern in patterns if not pattern.match("clients/left/privacy.json")]
    for pattern in patterns:
        assert any(pattern.match(p.relative_to(root).as_posix() + "/") for p in root.rglob("*")), (
            f"{pattern.pattern} is described, but a run leaves no such file"
        )


def test_every_metric_is_described(folder: Path) -> None:
    metrics = json.loads((folder / "outputs" / "demo" / "federated_metrics.json").read_text())
    text = (REPOSITORY / "docs" / "output-folder.md").read_text()
    for key in metrics[-1]:
        assert f"`{key}`" in text, key
