"""The generated halves of the pages on plugins follow from the code."""

import ast
import subprocess
import sys

from pages import REPOSITORY

from zk0_core.plugins import KINDS
from zk0_core.records import ZK0_API

PLUGINS = REPOSITORY / "docs" / "plugins"
WHOLE = ("zk0_core.data", "zk0_core.history", "zk0_core.tensors", "zk0_core.testing")
"""Modules that are promised with everything in them."""


def test_every_kind_has_a_page_and_every_page_is_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "plugin_pages", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, f"run scripts/plugin_pages\n{checked.stdout}{checked.stderr}"
    for kind in KINDS:
        text = (PLUGINS / f"{kind}.md").read_text()
        assert f"def {KINDS[kind].hook}(" in text
        assert f"class {KINDS[kind].record.__name__}:" in text


def test_the_promise_covers_what_the_template_and_the_examples_import() -> None:
    promised = " ".join((PLUGINS / "compatibility.md").read_text().split())
    sources = [REPOSITORY / "plugins-template", REPOSITORY / "docs" / "examples"]
    for path in (path for folder in sources for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if not module.startswith("zk0_core.") or module.startswith(WHOLE):
                continue
            for name in (module, *(alias.name for alias in node.names)):
                assert f"`{name}`" in promised, f"{path}: {name} of {module}"


def test_the_promise_names_the_number_of_today() -> None:
    text = (PLUGINS / "compatibility.md").read_text()
    assert f"`ZK0_API`, {ZK0_API} today" in text
