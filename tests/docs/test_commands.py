"""Every command in the documents is run here, or names the test or target that runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import PAGES, REPOSITORY, Block, blocks

CONSOLE = [block for page in PAGES for block in blocks(page) if block.language == "console"]


def run_page(page: Path, folder: Path) -> None:
    """Write the page's files to `folder`, then run its tested commands there, in order."""
    found = list(blocks(page))
    for block in found:
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for block in found:
        if block.language != "console" or block.note != "test":
            continue
        for command in block.commands():
            result = subprocess.run(
                ["bash", "-c", command],
                cwd=folder,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            assert result.returncode == 0, f"{block}: {command}\n{result.stdout}{result.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_run(page: Path, tmp_path: Path) -> None:
    run_page(page, tmp_path)


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_every_console_block_says_how_it_is_tested(block: Block) -> None:
    assert block.commands(), f"{block}: no line starts with '$ '"
    if block.note == "test":
        return
    how, _, where = block.note.partition(" ")
    assert how == "covered-by", f"{block}: write test or covered-by after console"
    assert where, f"{block}: covered by what?"
    if where.startswith("make:"):
        assert re.search(
            rf"^{where.removeprefix('make:')}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE
        ), f"{block}: the Makefile has no target {where.removeprefix('make:')}"
        return
    path, _, name = where.partition("::")
    assert (REPOSITORY / path).is_file(), f"{block}: there is no {path}"
    assert re.search(rf"^def {name}\(", (REPOSITORY / path).read_text(), re.MULTILINE), (
        f"{block}: {path} has no test {name}"
    )
