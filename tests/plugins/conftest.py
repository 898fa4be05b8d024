"""Plugins as `pip install` leaves them, and the command line in this process."""

import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from environment import REPOSITORY, called, install_wheels, wheel

from zk0_cli.main import main
from zk0_core.parts import installed

OURS = ("zk0", "_editable_impl_zk0")
"""What the names of this repository's packages begin with, among those that are installed here."""


@attrs.frozen
class Outcome:
    status: int
    out: str
    error: str


@pytest.fixture
def zk0(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def run(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, printed.out, printed.err)

    return run


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def forget(module: str) -> None:
    """Let the next import of `module` read it anew, whoever imported one of that name before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        del sys.modules[name]


@pytest.fixture
def install(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a distribution whose one module is a plugin: it and its metadata on the path."""
    added: list[str] = []

    def install(
        distribution: str, code: str, version: str = "1.0", contracts: str | None = None
    ) -> None:
        module = distribution.replace("-", "_")
        folder = site / module
        metadata = folder / f"{module}-{version}.dist-info"
        metadata.mkdir(parents=True)
        entry = module
        if contracts is None:
            (folder / f"{module}.py").write_text(code)
        else:
            (folder / module).mkdir()
            (folder / module / "__init__.py").touch()
            (folder / module / "plugin.py").write_text(code)
            (folder / module / "contracts.py").write_text(contracts)
            entry = f"{module}.plugin"
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            "Project-URL: Documentation, https://example.org/acme\n"
        )
        (metadata / "entry_points.txt").write_text(f"[zk0]\n{distribution} = {entry}\n")
        monkeypatch.syspath_prepend(folder)
        forget(module)
        added.append(module)
        installed.cache_clear()

    yield install
    installed.cache_clear()
    for module in added:
        forget(module)


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for project in ("zk0-core", "zk0-strategies", "zk0-schedulers", "zk0-cli"):
        wheel(REPOSITORY / project, folder)
    return folder


@pytest.fixture(scope="session")
def bin(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a new environment with zk0 from wheels.

    What zk0 depends on is heavy, and is taken from this environment: links to everything but this
    repository's own packages stand in a folder that the new one looks in as well.
    """
    root = tmp_path_factory.mktemp("environment")
    called(sys.executable, "-m", "venv", root / "venv", cwd=root)
    borrowed = root / "borrowed"
    borrowed.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(OURS) and entry.suffix != ".pth":
            (borrowed / entry.name).symlink_to(entry)
    (site,) = (root / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{borrowed}\n")
    bin = root / "venv" / "bin"
    install_wheels(bin, *sorted(wheels.glob("*.whl")))
    return bin
