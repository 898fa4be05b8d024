"""Tables in the documents are complete: hooks, plugins, keys, files of a run."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from pages import PAGES, REPOSITORY, first_cells, prose

from zk0_core.errors import UsageError
from zk0_core.history import ClientRecord
from zk0_core.hookspecs import Zk0Specs
from zk0_core.plugins import KINDS
from zk0_core.registry import Registry
from zk0_core.run_values import RunValues
from zk0_core.runfile import settings_from_toml
from zk0_core.sim.spec import REGIONS, SimSpec

DOCS = REPOSITORY / "docs"
RUN_FILE = (DOCS / "run-file.md").read_text(encoding="utf-8")


def test_every_hook_is_described() -> None:
    hooks = [name for name in vars(Zk0Specs) if name.startswith("zk0_")]
    assert first_cells(DOCS / "plugins" / "index.md", "The kinds") == hooks


def test_every_record_is_named() -> None:
    text = (DOCS / "plugins" / "index.md").read_text()
    for kind in KINDS.values():
        assert f"`{kind.record.__name__}`" in text


def test_every_plugin_that_comes_along_is_listed() -> None:
    ours = {"zk0-core", "zk0-strategies", "zk0-schedulers"}
    installed = [p.name for p in Registry.discover().plugins if p.distribution in ours]
    listed = first_cells(DOCS / "plugins" / "index.md", "What comes with zk0")
    assert sorted(listed) == sorted(installed)


def test_every_option_of_a_sim_address_is_described() -> None:
    options = [field.name for field in attrs.fields(SimSpec) if field.name != "task"]
    assert sorted(first_cells(DOCS / "simulator.md", "Demonstrations")) == sorted(options)
    for region in REGIONS:
        assert f"`{region}`" in (DOCS / "simulator.md").read_text()


def test_every_module_of_the_core_is_on_the_map() -> None:
    core = REPOSITORY / "zk0-core" / "src" / "zk0_core"
    modules = {path.stem for path in core.glob("*.py")} - {"__init__"}
    folders = {f"{p.name}/" for p in core.iterdir() if p.is_dir() and p.name != "__pycache__"}
    cells = first_cells(DOCS / "architecture.md", "Where things are")
    named = {name for cell in cells for name in re.findall(r"[\w]+/?", cell)}
    assert named == modules | folders


def test_every_key_of_a_run_file_is_described() -> None:
    keys = [field.name for field in attrs.fields(RunValues)]
    assert first_cells(DOCS / "run-file.md", "Values") == keys


def test_defaults_of_a_run_file_are_true() -> None:
    for field in attrs.fields(RunValues):
        row = re.search(rf"^\| `{field.name}` \| ([^|]+) \|", RUN_FILE, re.MULTILINE)
        assert row is not None
        said = row[1].strip().strip("`").strip('"')
        if field.default is None:
            assert said in ("the policy's", "none")
        elif isinstance(field.default, str | bool):
            assert said == str(field.default).lower()
        else:
            assert float(said) == field.default


def test_every_table_of_a_run_file_is_described() -> None:
    described = {name.strip("[]") for name in first_cells(DOCS / "run-file.md", "Tables")}
    with pytest.raises(UsageError) as refused:
        settings_from_toml("unheard_of = 1", "here")
    known = re.search(r"choices are (.*) \(from here\)", str(refused.value))
    assert known is not None
    values = {field.name for field in attrs.fields(RunValues)}
    assert described == set(known[1].split(", ")) - values


def test_every_file_of_a_client_and_of_the_metrics_is_described() -> None:
    text = (DOCS / "output-folder.md").read_text()
    for field in attrs.fields(ClientRecord):
        assert f"`{field.name}`" in text, field.name


@functools.cache
def help_of(*command: str) -> str:
    words = [Path(sys.executable).parent / "zk0", *command, "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


WITH_FLAGS = (
    ("run",),
    ("compare",),
    ("server", "start"),
    ("client", "start"),
    ("client", "enroll"),
)
"""Commands whose flags are mentioned without them."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_and_commands_that_are_named_exist(page: Path) -> None:
    shown = "".join(help_of(*command) for command in WITH_FLAGS)
    for flag in re.findall(r"`(--[a-z-]+)", prose(page)):
        assert re.search(rf"{flag}\b", shown), f"{page.name}: {flag}"
    for command in re.findall(r"`zk0 ([a-z-]+)", prose(page)):
        assert re.search(rf"^  {command} ", help_of(), re.MULTILINE), f"{page.name}: zk0 {command}"
