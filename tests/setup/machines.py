"""Machines with little on them, for the scripts that set zk0 up; their uv downloads nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = ("bootstrap", "install-node")
TOOLS = ("bash", "sh", "env", "cat", "cksum", "dirname", "head", "ls", "sort", "rm", "mv", "mkdir")
# Does what uv does to an environment, as far as the scripts can see, and notes how it was called.
UV = """#!/usr/bin/env bash
if [ "$1" = --version ]; then echo "uv {version} (test)"; exit; fi
echo "${{VIRTUAL_ENV:-}}${{UV_COMPILE_BYTECODE:+compiling }}$*" >>"$CALLS"
if {fails}; then exit 1; fi
case $1 in
  sync) environment=.venv ;;
  venv) environment=${{@: -1}} ;;
  *) exit ;;
esac
mkdir -p "$environment/bin"
printf '#!/bin/sh\\necho "$0 $* $ZK0_HOME"\\n' >"$environment/bin/zk0"
printf '#!/bin/sh\\nexec {python} "$@"\\n' >"$environment/bin/python"
chmod +x "$environment/bin/"*
"""


def bare_machine(path: Path) -> None:
    """Make a repository with the scripts, an empty home, and a PATH without Python."""
    project, binaries = path / "project", path / "bin"
    (project / "scripts").mkdir(parents=True)
    (project / "zk0-core").mkdir()
    (path / "home").mkdir()
    for script in SCRIPTS:
        shutil.copy(REPOSITORY / "scripts" / script, project / "scripts")
    for name in ("uv.lock", "pyproject.toml", "zk0-core/pyproject.toml"):
        (project / name).write_text("1\n")
    binaries.mkdir()
    for tool in (*TOOLS, "chmod", "sed"):
        with_tool(path, tool)


def with_tool(machine: Path, name: str) -> None:
    """Put a tool of this machine on its PATH."""
    found = shutil.which(name)
    assert found is not None
    (machine / "bin" / name).symlink_to(found)


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def uv_text(version: str = "0.9.1", *, fails: bool = False) -> str:
    return UV.format(version=version, python=sys.executable, fails=str(fails).lower())


def with_uv(machine: Path, version: str = "0.9.1", *, fails: bool = False) -> None:
    program(machine / "bin" / "uv", uv_text(version, fails=fails))


def with_python(path: Path) -> None:
    program(path, f'#!/bin/sh\nexec {sys.executable} "$@"\n')


def run_script(
    machine: Path, script: str, *arguments: object, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run one of SCRIPTS there, with no other variables than `env` and the machine's."""
    return subprocess.run(
        [machine / "project" / "scripts" / script, *map(str, arguments)],
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
    """Return how uv was called, version aside."""
    path = machine / "calls"
    return path.read_text().splitlines() if path.exists() else []
