"""What a package imports, its own pyproject declares: nothing is there by somebody else's leave."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("zk0-core", "zk0-strategies", "zk0-schedulers", "zk0-cli", "plugins-template")
PROVIDERS = importlib.metadata.packages_distributions()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folder: Path) -> set[str]:
    """Return the top-level modules that the code below `folder` imports, wherever it does."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module
                found.add(node.module.partition(".")[0])
    return found


def declared(package: str) -> set[str]:
    project = tomllib.loads((REPOSITORY / package / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in project.get("optional-dependencies", {}).values():
        wanted += extra
    return {normal(re.split(r"[\[<>=!~; ]", text, maxsplit=1)[0]) for text in wanted}


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_is_declared(package: str) -> None:
    own = {path.name for path in (REPOSITORY / package / "src").iterdir()}
    foreign = imported(REPOSITORY / package / "src") - own - set(sys.stdlib_module_names)
    assert foreign, "there is nothing to see"
    missing = {
        module
        for module in foreign
        if not {normal(name) for name in PROVIDERS.get(module, [module])} & declared(package)
    }
    assert missing == set()
