"""`scripts/bootstrap`, run for real in a small repository; only uv's downloads are left out."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "env", "cat", "cksum", "dirname", "head", "sort", "rm")

# Does what `uv sync` does to .venv, as far as the script can see, and notes how it was called.
UV = """#!/usr/bin/env bash
if [ "$1" = --version ]; then echo "uv {version} (test)"; exit; fi
echo "${{VIRTUAL_ENV:-}}$*" >>"$CALLS"
mkdir -p .venv/bin
printf '#!/bin/sh\\n' >.venv/bin/zk0
printf '#!/bin/sh\\nexec {python} "$@"\\n' >.venv/bin/python
chmod +x .venv/bin/*
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A repository, an empty home, and a PATH with nothing of Python on it."""
    project, binaries = tmp_path / "project", tmp_path / "bin"
    (project / "scripts").mkdir(parents=True)
    (project / "zk0-core").mkdir()
    (tmp_path / "home").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "bootstrap", project / "scripts")
    for name in ("uv.lock", "pyproject.toml", "zk0-core/pyproject.toml"):
        (project / name).write_text("1\n")
    binaries.mkdir()
    for tool in (*TOOLS, "mkdir", "chmod"):
        found = shutil.which(tool)
        assert found is not None
        (binaries / tool).symlink_to(found)
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def with_uv(machine: Path, version: str = "0.9.1") -> None:
    program(machine / "bin" / "uv", UV.format(version=version, python=sys.executable))


def with_python(path: Path) -> None:
    program(path, f'#!/bin/sh\nexec {sys.executable} "$@"\n')


def bootstrap(machine: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / "project" / "scripts" / "bootstrap"],
        env={
            "PATH": str(machine / "bin"),
            "HOME": str(machine / "home"),
            "CALLS": str(machine / "calls"),
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def calls(machine: Path) -> list[str]:
    path = machine / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_uses_uv_and_python_of_path(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    result = bootstrap(machine)
    assert result.returncode == 0, result.stderr
    assert calls(machine) == [f"sync --frozen --python {machine}/bin/python3.12"]
    assert result.stdout.endswith("bootstrap: done: .venv/bin/zk0\n")


def test_does_nothing_the_second_time(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    bootstrap(machine)
    assert bootstrap(machine).stdout == "bootstrap: .venv is up to date\n"
    assert len(calls(machine)) == 1


@pytest.mark.parametrize("changed", ["uv.lock", "zk0-core/pyproject.toml"])
def test_syncs_again_when_what_it_follows_from_changed(machine: Path, changed: str) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    bootstrap(machine)
    (machine / "project" / changed).write_text("2\n")
    bootstrap(machine)
    assert calls(machine)[1:] == ["sync --frozen --python .venv/bin/python"]


def test_passes_over_a_shim_that_does_not_run(machine: Path) -> None:
    with_uv(machine)
    program(machine / "bin" / "python3.12", "#!/bin/sh\nexit 127\n")
    real = machine / "home" / ".pyenv" / "versions" / "3.12.9" / "bin" / "python3.12"
    with_python(real)
    bootstrap(machine)
    assert calls(machine) == [f"sync --frozen --python {real}"]


def test_finds_pyenv_by_its_variable(machine: Path) -> None:
    with_uv(machine)
    real = machine / "elsewhere" / "versions" / "3.12.9" / "bin" / "python3.12"
    with_python(real)
    bootstrap(machine, PYENV_ROOT=str(machine / "elsewhere"))
    assert calls(machine) == [f"sync --frozen --python {real}"]


def test_lets_uv_fetch_python_where_there_is_none(machine: Path) -> None:
    with_uv(machine)
    result = bootstrap(machine)
    assert calls(machine) == ["sync --frozen --python 3.12"]
    assert "no 3.12 or 3.13 found, uv fetches 3.12" in result.stdout


def test_without_uv_and_python_says_what_to_install(machine: Path) -> None:
    result = bootstrap(machine)
    assert result.returncode == 1
    assert result.stderr == (
        "bootstrap: error: found neither uv nor a Python 3; "
        "install uv (https://docs.astral.sh/uv) and try again\n"
    )


def test_passes_over_an_uv_that_is_too_old(machine: Path) -> None:
    with_uv(machine, version="0.4.30")
    result = bootstrap(machine)
    assert result.returncode == 1
    assert calls(machine) == []


def test_installs_uv_of_its_own(machine: Path) -> None:
    """A Python that makes virtual environments, with a pip that installs the uv of this test."""
    uv = UV.format(version="0.9.1", python=sys.executable)
    pip = f"#!/bin/sh\ncat >.tools/bin/uv <<'END'\n{uv}END\nchmod +x .tools/bin/uv\n"
    fake = f"""#!/usr/bin/env bash
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin"
  cat >"$3/bin/python" <<'PIP'
{pip}PIP
  chmod +x "$3/bin/python"
  exit
fi
exec {sys.executable} "$@"
"""
    program(machine / "bin" / "python3.12", fake)
    result = bootstrap(machine)
    assert result.returncode == 0, result.stderr
    assert "no uv ≥ 0.8.0 on PATH: installing one into .tools/" in result.stderr
    assert calls(machine) == [f"sync --frozen --python {machine}/bin/python3.12"]


def test_other_environments_are_left_alone(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    bootstrap(machine, VIRTUAL_ENV="/other/project/.venv")
    assert calls(machine) == [f"sync --frozen --python {machine}/bin/python3.12"]
