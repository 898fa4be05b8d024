"""Tables in the documents are complete: hooks, plugins, keys, files of a run."""

import re

import attrs
import pytest
from pages import PAGES, REPOSITORY, blocks, first_cells, prose
from zk0_core.hookspecs import Zk0Specs
from zk0_core.registry import KINDS, Registry
from zk0_core.sim.spec import REGIONS, SimSpec

DOCS = REPOSITORY / "docs"


def test_every_hook_is_described() -> None:
    hooks = [name for name in vars(Zk0Specs) if name.startswith("zk0_")]
    assert first_cells(DOCS / "plugins.md", "The kinds") == hooks


def test_every_record_is_named() -> None:
    text = (DOCS / "plugins.md").read_text()
    for kind in KINDS.values():
        assert f"`{kind.record.__name__}`" in text


def test_every_plugin_that_comes_along_is_listed() -> None:
    ours = {"zk0-core", "zk0-strategies", "zk0-schedulers"}
    installed = [p.name for p in Registry.discover().plugins if p.distribution in ours]
    assert sorted(first_cells(DOCS / "plugins.md", "What comes with zk0")) == sorted(installed)


def test_every_option_of_a_sim_address_is_described() -> None:
    options = [field.name for field in attrs.fields(SimSpec) if field.name != "task"]
    assert first_cells(DOCS / "simulator.md", "Demonstrations") == options
    for region in REGIONS:
        assert f"`{region}`" in (DOCS / "simulator.md").read_text()


def test_every_module_of_the_core_is_on_the_map() -> None:
    core = REPOSITORY / "zk0-core" / "src" / "zk0_core"
    modules = {path.stem for path in core.glob("*.py")} - {"__init__"}
    folders = {f"{path.parent.name}/" for path in core.glob("*/__init__.py")}
    cells = first_cells(DOCS / "architecture.md", "Where things are")
    named = {name for cell in cells for name in re.findall(r"[\w]+/?", cell)}
    assert named == modules | folders


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_repository_that_are_named_exist(page) -> None:
    for name in re.findall(r"`((?:server|client|wire|engines|tests|scripts)/[\w/.]+\.py)`", prose(page)):
        places = [REPOSITORY / name, REPOSITORY / "zk0-core" / "src" / "zk0_core" / name]
        assert any(place.exists() for place in places), f"{page.name}: {name}"


def test_run_files_in_the_documents_are_whole() -> None:
    from zk0_core.runfile import load_run_file

    raise NotImplementedError
