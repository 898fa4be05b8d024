"""`zk0 plugins new`: what it writes, and what it refuses."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zk0_cli.template import template_folder
from zk0_core.plugins import KINDS


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_strategy_by_default(zk0) -> None:
    made = zk0("plugins", "new", "fed-nova-two")
    assert made.status == 0
    assert made.out == (
        "fed-nova-two: zk0-fed-nova-two with strategy 'fed-nova-two'; next:\n"
        "  cd fed-nova-two\n"
        "  pip install -e '.[test]'\n"
        "  zk0 plugins test fed-nova-two\n"
        "  pytest\n"
    )
    files = {str(p.relative_to("fed-nova-two")) for p in Path("fed-nova-two").rglob("*.*")}
    assert files == {
        ".github",
        ".github/workflows/test.yml",
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/zk0_fed_nova_two/__init__.py",
        "src/zk0_fed_nova_two/contracts.py",
        "src/zk0_fed_nova_two/plugin.py",
        "src/zk0_fed_nova_two/py.typed",
        "src/zk0_fed_nova_two/strategy.py",
        "tests/test_contracts.py",
        "tests/test_strategy.py",
    }
    project = tomllib.loads(Path("fed-nova-two/pyproject.toml").read_text())
    assert project["project"]["name"] == "zk0-fed-nova-two"
    assert project["project"]["entry-points"]["zk0"] == {"fed-nova-two": "zk0_fed_nova_two.plugin"}
    assert "uv" not in project["tool"], "the workspace of this repository is none of its business"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_is_whole(zk0, kind: str) -> None:
    assert zk0("plugins", "new", "mine-too", "--kind", kind).status == 0
    source = Path("mine-too/src/zk0_mine_too")
    tree = ast.parse((source / "plugin.py").read_text())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == [KINDS[kind].hook]
    for text in (path.read_text() for path in Path("mine-too").rglob("*") if path.is_file()):
        assert "template" not in text
    checked = subprocess.run(
        [Path(sys.executable).parent / "ruff", "check", "--isolated", "--select", "F", "."],
        cwd="mine-too",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_all_kinds_are_the_template_under_another_name(zk0) -> None:
    assert zk0("plugins", "new", "plugin-tumplate", "--kind", ",".join(KINDS)).status == 0
    made = Path("plugin-tumplate")
    for path in template_folder().rglob("*.py"):
        if "__pycache__" in path.parts:
            continue
        name = str(path.relative_to(template_folder())).replace("template", "tumplate")
        assert (made / name).read_text().replace("tumplate", "template") == path.read_text(), name


def test_another_folder(zk0, tmp_path: Path) -> None:
    made = zk0("plugins", "new", "mine-too", "--path", tmp_path / "a" / "b")
    assert made.status == 0
    assert (tmp_path / "a" / "b" / "pyproject.toml").is_file()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["exists"], "folder exists exists; choose another one with --path"),
        (
            ["My_Strategy"],
            "the name 'My_Strategy' is not lower-case letters, digits and hyphens; "
            "write my-strategy",
        ),
        (
            ["MyStrategy"],
            "the name 'MyStrategy' is not lower-case letters, digits and hyphens; "
            "write my-strategy",
        ),
        (["-"], "the name '-' is not lower-case letters, digits and hyphens"),
        (
            ["fedprox"],
            "strategy 'fedprox' is there already, from zk0-strategies 0.1.0; choose another name",
        ),
        (
            ["mine", "--kind", "strategy,schedulr"],
            "--kind: unknown kind 'schedulr'; choose from strategy, scheduler, mu-scheduler, "
            "loader, evaluator, policy, reporter, codec; did you mean 'scheduler'?",
        ),
        (
            ["mine", "--kind", ","],
            "--kind names no kind; choose from strategy, scheduler, mu-scheduler, loader, "
            "evaluator, policy, reporter, codec",
        ),
        (
            ["core", "--kind", "codec"],
            "package zk0-core 0.1.0 is installed already; choose another name",
        ),
    ],
)
def test_what_is_refused(zk0, tmp_path: Path, arguments: list[str], error: str) -> None:
    (tmp_path / "exists").mkdir()
    refused = zk0("plugins", "new", *arguments)
    assert refused.status == 2
    assert refused.error == f"Error: {error}\n"
    assert refused.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["exists"]


def test_a_name_of_another_kind_is_free(zk0) -> None:
    assert zk0("plugins", "new", "cosine", "--kind", "mu-scheduler").status == 0
