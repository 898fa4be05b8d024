"""`scripts/install-node`: what it leaves on a machine, what it says, and once for real."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.setup.machines import (
    REPOSITORY,
    calls,
    program,
    run_script,
    uv_text,
    with_python,
    with_tool,
    with_uv,
)

PACKAGES = ("zk0", "zk0_core", "zk0_strategies", "zk0_schedulers", "zk0_cli")


def install(machine: Path, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return run_script(machine, "install-node", *arguments, **env)


@pytest.fixture
def fit(machine: Path) -> Path:
    """A machine with uv and a Python that will do."""
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    return machine


def test_everything_is_in_one_folder(fit: Path) -> None:
    done = install(fit)
    folder = fit / "home" / "zk0"
    assert done.returncode == 0, done.stderr
    asked, installed = calls(fit)
    assert asked == f"venv --quiet --clear --python {fit}/bin/python3.12 {folder}/env"
    assert installed.startswith(f"pip install --python {folder}/env/bin/python --upgrade-package")
    assert installed.endswith(" zk0 zk0-core zk0-strategies zk0-schedulers zk0-cli")
    assert f"{folder}/env/bin/zk0 doctor {folder}/home" in done.stdout
    assert done.stdout.endswith(
        f"install-node: done; next: {folder}/bin/zk0 client start local:/path/to/dataset "
        "--join INVITATION\n"
    )
    assert list((fit / "home").iterdir()) == [folder]


@pytest.mark.parametrize("given", [{}, {"ZK0_HOME": "/elsewhere"}])
def test_its_command_keeps_everything_in_the_folder(fit: Path, given: dict[str, str]) -> None:
    folder = fit / "ann's own föld $er"
    assert install(fit, "--folder", folder, CDPATH=str(fit)).returncode == 0
    said = subprocess.run(
        [folder / "bin" / "zk0", "client", "a b"],
        env={"PATH": str(fit / "bin"), **given},
        capture_output=True,
        text=True,
        check=True,
    )
    home = given.get("ZK0_HOME", f"{folder}/home")
    assert said.stdout == f"{folder}/env/bin/zk0 client a b {home}\n"


def test_run_again_it_keeps_the_environment(fit: Path) -> None:
    install(fit)
    assert install(fit).returncode == 0
    assert [call.split()[0] for call in calls(fit)] == ["venv", "pip", "pip"]


def test_an_environment_whose_python_is_gone_is_made_anew(fit: Path) -> None:
    install(fit)
    (fit / "home" / "zk0" / "env" / "bin" / "python").unlink()
    assert install(fit).returncode == 0
    assert [call.split()[0] for call in calls(fit)] == ["venv", "pip", "venv", "pip"]


def test_a_folder_with_something_else_in_it_is_left_alone(fit: Path) -> None:
    (fit / "home" / "tools").mkdir()
    done = install(fit, "--folder", fit / "home")
    assert done.returncode == 1
    assert done.stderr == (
        f"install-node: error: {fit}/home holds something else already; name a new folder with "
        "--folder\n"
    )
    assert (calls(fit), list((fit / "home").iterdir())) == ([], [fit / "home" / "tools"])


def test_a_node_that_runs_is_stopped_first(fit: Path) -> None:
    install(fit)
    folder = fit / "home" / "zk0"
    status = folder / "home" / "federations" / "arms" / "client" / "status.json"
    status.parent.mkdir(parents=True)
    status.write_text(json.dumps({"pid": os.getpid(), "name": "ann"}))
    done = install(fit)
    assert done.returncode == 1
    assert done.stderr == (
        f"install-node: error: a node of {folder} runs; stop it first: {folder}/bin/zk0 client "
        "stop --federation arms\n"
    )
    assert len(calls(fit)) == 2


def test_of_wheels_all_are_needed_and_those_are_taken(fit: Path) -> None:
    wheels = fit / "some wheels"
    wheels.mkdir()
    names = [f"{name}-0.1.0-py3-none-any.whl" for name in PACKAGES]
    for name in names[:-1]:
        (wheels / name).touch()
    lacking = install(fit, "--wheels", wheels)
    assert lacking.returncode == 1
    assert lacking.stderr == (
        f"install-node: error: --wheels {wheels}: one wheel of zk0-cli is needed there; "
        "docs/operate.md says how to make it\n"
    )
    assert calls(fit) == []
    (wheels / names[-1]).touch()
    assert install(fit, "--wheels", wheels).returncode == 0
    assert calls(fit)[1].endswith(" ".join(f"{wheels}/{name}" for name in names))


@pytest.fixture
def official(tmp_path: Path) -> Iterator[str]:
    """Serves an installer that puts the uv of these tests where uv's own is told to put it."""
    (tmp_path / "install.sh").write_text(
        f"mkdir -p $UV_UNMANAGED_INSTALL\ncat >$UV_UNMANAGED_INSTALL/uv <<'END'\n{uv_text()}END\n"
        "chmod +x $UV_UNMANAGED_INSTALL/uv\n"
    )
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/install.sh"
        server.shutdown()


def test_without_any_python_uv_brings_itself_and_one(machine: Path, official: str) -> None:
    with_tool(machine, "curl")
    done = install(machine, ZK0_UV_INSTALLER=official)
    folder = machine / "home" / "zk0"
    assert done.returncode == 0, done.stderr
    assert calls(machine)[0] == f"venv --quiet --clear --python 3.12 {folder}/env"
    assert (folder / "tools" / "bin" / "uv").is_file()


def test_a_python_without_venv_and_pip_is_no_obstacle(machine: Path, official: str) -> None:
    with_tool(machine, "curl")
    bare = f'case "$2" in venv|pip) exit 1;; esac; exec {sys.executable} "$@"'
    program(machine / "bin" / "python3.12", f"#!/bin/sh\n{bare}\n")
    done = install(machine, ZK0_UV_INSTALLER=official)
    assert done.returncode == 0, done.stderr
    assert (machine / "home" / "zk0" / "tools" / "bin" / "uv").is_file()


def test_an_installer_that_cannot_be_fetched(machine: Path, official: str) -> None:
    with_tool(machine, "curl")
    missing = official.replace("install.sh", "other.sh")
    done = install(machine, ZK0_UV_INSTALLER=missing)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "install-node: error: neither a Python 3 with pip nor curl could bring uv; install it "
        "(https://docs.astral.sh/uv) and try again\n"
    )


def test_what_it_does_not_take(machine: Path) -> None:
    unknown = install(machine, "--dir", "x")
    assert unknown.returncode == 1
    assert unknown.stderr == (
        "install-node: error: unknown argument --dir; it takes --folder FOLDER and "
        "--wheels FOLDER\n"
    )
    assert list((machine / "home").iterdir()) == []


@pytest.mark.long
def test_from_wheels_into_a_clean_home(machine: Path, tmp_path: Path) -> None:
    """From a pipe, as one that was fetched; dependencies, from the index, are those of uv.lock."""
    own = REPOSITORY / ".tools" / "bin" / "uv"
    uv = own if own.exists() else "uv"
    wheels = tmp_path / "wheels"
    built = ("build", "--all-packages", "--wheel", "--quiet", "--out-dir", wheels)
    subprocess.run([uv, *built], cwd=REPOSITORY, check=True)
    locked = tmp_path / "locked.txt"
    exported = ("export", "--frozen", "--no-dev", "--no-emit-workspace", "--no-hashes", "--quiet")
    subprocess.run([uv, *exported, "-o", locked], cwd=REPOSITORY, check=True)
    cache = subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True)
    home = machine / "home"
    with (machine / "project/scripts/install-node").open() as script:
        done = subprocess.run(
            ["bash", "-s", "--", "--wheels", wheels],
            stdin=script,
            env={
                **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                "PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
                "HOME": str(home),
                # Nothing is downloaded that is there already, and another torch is not tested.
                "UV_CACHE_DIR": cache.stdout.strip(),
                "UV_CONSTRAINT": str(locked),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    plugins" in done.stdout
    assert {path.name for path in home.iterdir()} == {"zk0"}
    assert {path.name for path in (home / "zk0").iterdir()} <= {
        ".zk0-installation", "bin", "cache", "env", "home", "python", "tools",
    }  # fmt: skip
    shown = subprocess.run(
        [home / "zk0" / "bin" / "zk0", "plugins", "list"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
    )
    assert "fedprox" in shown.stdout
