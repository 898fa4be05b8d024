"""`scripts/bootstrap`, run for real in a small repository; only uv's downloads are left out."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.machines import calls, program, run_script, uv_text, with_python, with_uv


def bootstrap(machine: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return run_script(machine, "bootstrap", **env)


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
    assert "no 3.12 or 3.13 found, uv fetches 3.12" in result.stderr


def test_without_uv_and_python_says_what_to_install(machine: Path) -> None:
    result = bootstrap(machine)
    assert result.returncode == 1
    assert result.stderr == (
        "bootstrap: error: neither a Python 3 with pip nor curl could bring uv; install it "
        "(https://docs.astral.sh/uv) and try again\n"
    )


def test_passes_over_an_uv_that_is_too_old(machine: Path) -> None:
    with_uv(machine, version="0.4.30")
    result = bootstrap(machine)
    assert result.returncode == 1
    assert calls(machine) == []


def test_installs_uv_of_its_own(machine: Path) -> None:
    """A Python that makes virtual environments, with a pip that installs the uv of this test."""
    uv = uv_text()
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
    assert f"no uv ≥ 0.8.0 on PATH: installing one into {machine}/project/.tools" in result.stderr
    assert calls(machine) == [f"sync --frozen --python {machine}/bin/python3.12"]


def test_other_environments_are_left_alone(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    bootstrap(machine, VIRTUAL_ENV="/other/project/.venv")
    assert calls(machine) == [f"sync --frozen --python {machine}/bin/python3.12"]


def test_an_installation_that_was_broken_off_is_taken_up(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    bootstrap(machine)
    with_uv(machine, fails=True)
    (machine / "project" / "uv.lock").write_text("2\n")
    assert bootstrap(machine).returncode == 1
    with_uv(machine)
    (machine / "project" / "uv.lock").write_text("1\n")
    assert bootstrap(machine).stdout.endswith("bootstrap: done: .venv/bin/zk0\n")


def test_compiles_what_python_would_not_keep(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    bootstrap(machine, PYTHONDONTWRITEBYTECODE="1")
    assert calls(machine) == [f"compiling sync --frozen --python {machine}/bin/python3.12"]
