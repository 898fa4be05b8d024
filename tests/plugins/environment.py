"""An environment of somebody else's: what builds wheels, installs them and runs commands there."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def called(*command: object, cwd: Path, succeeds: bool = True) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == succeeds, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + ("" if succeeds else done.stderr)


def wheel(project: Path, wheels: Path) -> Path:
    """Build the wheel of `project` with the backend that is installed here."""
    before = set(wheels.glob("*.whl"))
    called(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels, cwd=project)
    (made,) = set(wheels.glob("*.whl")) - before
    return made


def install_wheels(bin: Path, *wheels: Path) -> None:
    quiet = ("--no-index", "--no-deps", "--quiet", "--disable-pip-version-check")
    called(bin / "python", "-m", "pip", "install", *quiet, *wheels, cwd=bin)
