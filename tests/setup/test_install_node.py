"""`scripts/install-node`: what it leaves on a machine, what it says, and once for real."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.setup.machines import REPOSITORY, UV, calls, with_python, with_tool, with_uv

SCRIPT = "project/scripts/install-node"


def install(machine: Path, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine / SCRIPT, *map(str, arguments)],
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


def test_everything_is_in_one_folder(machine: Path) -> None:
    with_uv(machine)
    python = machine / "bin" / "python3.12"
    with_python(python)
    done = install(machine)
    folder = machine / "home" / "zk0"
    assert done.returncode == 0, done.stderr
    asked, installed = calls(machine)
    assert asked == f"venv --quiet --python {python} {folder}/env"
    assert installed.startswith(f"pip install --python {folder}/env/bin/python --upgrade-package")
    assert installed.endswith(" zk0")
    assert "--find-links" not in installed
    assert f"{folder}/env/bin/zk0 doctor {folder}/home" in done.stdout
    assert done.stdout.endswith(
        f"install-node: done; next: {folder}/bin/zk0 client start local:/path/to/dataset "
        "--join INVITATION\n"
    )
    assert list((machine / "home").iterdir()) == [folder]


def test_its_command_keeps_a_folder_that_was_asked_for(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    folder = machine / "a folder"
    assert install(machine, "--folder", folder).returncode == 0
    said = subprocess.run(
        [folder / "bin" / "zk0", "client", "status"],
        env={"PATH": str(machine / "bin"), "ZK0_HOME": "/elsewhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"{folder}/env/bin/zk0 client status /elsewhere\n"


def test_run_again_it_keeps_the_environment(machine: Path) -> None:
    with_uv(machine)
    with_python(machine / "bin" / "python3.12")
    install(machine)
    assert install(machine).returncode == 0
    assert [call.split()[0] for call in calls(machine)] == ["venv", "pip", "pip"]


@pytest.fixture
def official(tmp_path: Path) -> Iterator[str]:
    """Serves an installer that puts the uv of these tests where uv's own is told to put it."""
    uv = UV.format(version="0.9.1", python=sys.executable)
    (tmp_path / "install.sh").write_text(
        f"mkdir -p $UV_UNMANAGED_INSTALL\ncat >$UV_UNMANAGED_INSTALL/uv <<'END'\n{uv}END\n"
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
    assert calls(machine)[0] == f"venv --quiet --python 3.12 {folder}/env"
    assert (folder / "tools" / "bin" / "uv").is_file()


def test_an_installer_that_cannot_be_fetched(machine: Path, official: str) -> None:
    with_tool(machine, "curl")
    missing = official.replace("install.sh", "other.sh")
    done = install(machine, ZK0_UV_INSTALLER=missing)
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"install-node: error: {missing} could not install uv; install it "
        "(https://docs.astral.sh/uv) and try again\n"
    )


def test_what_it_does_not_take(machine: Path) -> None:
    unknown, empty = install(machine, "--dir", "x"), install(machine, "--wheels", machine)
    assert (unknown.returncode, empty.returncode) == (1, 1)
    assert unknown.stderr == (
        "install-node: error: unknown argument --dir; it takes --folder FOLDER and "
        "--wheels FOLDER\n"
    )
    assert empty.stderr == (
        f"install-node: error: --wheels {machine}: no zk0-*.whl in there; see docs/operate.md for "
        "how to make them\n"
    )
    assert calls(machine) == []


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
    with (machine / SCRIPT).open() as script:
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
        "bin", "cache", "env", "home", "python", "tools",
    }  # fmt: skip
    shown = subprocess.run(
        [home / "zk0" / "bin" / "zk0", "plugins", "list"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
    )
    assert "fedprox" in shown.stdout
