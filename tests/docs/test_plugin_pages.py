"""The generated halves of the pages on plugins follow from the code."""

import subprocess
import sys

from pages import REPOSITORY

from zk0_core.records import ZK0_API
from zk0_core.registry import KINDS

PLUGINS = REPOSITORY / "docs" / "plugins"


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


def test_the_promise_names_the_number_of_today() -> None:
    text = (PLUGINS / "compatibility.md").read_text()
    assert f"`ZK0_API`, {ZK0_API} today" in text
