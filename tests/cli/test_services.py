"""Units for systemd: what they start is what was asked for, wherever they are started from."""

import pwd
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from zk0_core.federation import services
from zk0_core.federation.folder import NodeFolder
from zk0_core.federation.records import NodeSettings, write
from zk0_core.federation.services import KEPT_VARIABLES, unit


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*KEPT_VARIABLES, "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ZK0_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def enroll() -> None:
    write(NodeFolder.of("main").settings, NodeSettings(server="127.0.0.1:9443", name="left"))


@pytest.fixture
def enrolled(home: Path) -> None:
    enroll()


def of_the_node(home: Path) -> str:
    return (home / "config/systemd/user/zk0-client-main.service").read_text()


@pytest.mark.usefixtures("enrolled")
def test_a_unit_for_a_node(zk0, home: Path) -> None:
    uri, renames = "local:/data/100% desk", ("--rename", "a=b", "--rename", "c=d")
    more = ("--device", "cuda", "--epsilon", "3", "--name-dataset", *renames)
    shown = zk0("client", "install-service", uri, *more)
    assert shown.status == 0
    path = home / "config/systemd/user/zk0-client-main.service"
    assert shown.out.startswith(
        f"wrote {path}\nstart it with: systemctl --user daemon-reload && systemctl --user enable "
        "--now zk0-client-main\n"
    )
    text = path.read_text()
    # A percent sign means something to systemd.
    assert (
        '-m zk0_cli client start "local:/data/100%% desk" --federation main --retry --foreground '
        "--device cuda --epsilon 3.0 --heartbeat 30 --name-dataset --rename a=b --rename c=d\n"
    ) in text
    # What `zk0 client stop` ends stays so, and what fails comes back.
    assert "\nRestart=on-failure\n" in text
    assert f'Environment="ZK0_HOME={home}"' in text
    assert "WantedBy=default.target" in text


@pytest.mark.usefixtures("enrolled")
def test_a_folder_is_written_from_the_root_on(
    zk0, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = home / "my 100% data"
    there.mkdir()
    monkeypatch.chdir(there)
    uri = "local:desk?eval_episodes=2 + local:/data/other + hf:acme/desk"
    assert zk0("client", "install-service", uri).status == 0
    # Decoded: a space of an address is %20, and a percent sign %25.
    place = f"{home}/my%20100%25%20data".replace("%", "%%")
    assert (
        f'client start "local:{place}/desk?eval_episodes=2 + local:/data/other + hf:acme/desk" -'
    ) in of_the_node(home)


@pytest.mark.usefixtures("enrolled")
def test_what_is_no_dataset_gets_no_unit(zk0) -> None:
    shown = zk0("client", "install-service", "desk")
    assert (shown.status, shown.error) == (
        2,
        "Error: dataset 'desk' is no address; write SCHEME:PLACE such as local:desk or "
        "sim:lift?region=left\n",
    )


def test_what_systemd_would_read_otherwise_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/$1 50%/python")
    words = ("$HOME/a", "%h", 'say "x"', "back\\slash", ";", "it's", "two\nlines", "")
    environment = {
        "XDG_DATA_HOME": "/data/50%/$x",
        "HF_HOME": '/a "b"\\c',
        "ZK0_LOAD_PLUGINS": "zk0-core,acme",
        "HF_TOKEN": "secret",
    }
    lines = unit("a node", words, system=True, environment=environment).splitlines()
    assert (
        'ExecStart="/opt/$1 50%%/python" -m zk0_cli $$HOME/a %%h "say \\"x\\"" "back\\\\slash" ";" '
        '"it\'s" "two\\nlines" ""'
    ) in lines
    assert [line for line in lines if line.startswith(("Environment", "User"))] == [
        'Environment="HF_HOME=/a \\"b\\"\\\\c"',
        'Environment="XDG_DATA_HOME=/data/50%%/$x"',
        'Environment="ZK0_LOAD_PLUGINS=zk0-core,acme"',
        "User=root",
    ]


def test_folders_are_kept_from_the_root_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    text = unit("a node", (), system=False, environment={"ZK0_HOME": "here", "HF_HUB_OFFLINE": "1"})
    assert re.findall("^Environment=(.*)$", text, flags=re.MULTILINE) == [
        f'"ZK0_HOME={tmp_path}/here"',
        '"HF_HUB_OFFLINE=1"',
    ]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    words = ("client", "start", 'local:/data/100% "$desk"', "--rename", "a=b;c")
    path = tmp_path / "zk0-client-main.service"
    path.write_text(unit("a node", words, system=True, environment={"HF_HOME": "/a b/%h"}))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    # Of other units of this machine it may say what it likes.
    assert [line for line in done.stderr.splitlines() if path.name in line] == []


def test_with_sudo_it_is_the_callers_node(zk0, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's home has no node; ours is as another user's, and so is the folder of units."""
    users = {"ann": SimpleNamespace(pw_dir=str(home / "ann"))}
    monkeypatch.setattr(pwd, "getpwnam", users.__getitem__)
    monkeypatch.setattr(
        services, "unit_path", lambda name, system: home / "units" / f"{name}.service"
    )
    monkeypatch.setenv("ZK0_HOME", str(home / "ann/.local/share/zk0"))
    enroll()
    monkeypatch.delenv("ZK0_HOME")
    monkeypatch.setenv("HOME", str(home / "root"))
    monkeypatch.setenv("SUDO_USER", "ann")
    shown = zk0("client", "install-service", "local:/data/desk", "--system")
    assert shown.status == 0, shown.error
    assert shown.out == (
        f"wrote {home}/units/zk0-client-main.service\n"
        "start it with: sudo systemctl daemon-reload && sudo systemctl enable --now "
        "zk0-client-main\n"
        "sudo forgets what is set of these: sudo --preserve-env=ZK0_HOME,ZK0_CACHE,HF_HOME,"
        "XDG_DATA_HOME,XDG_CACHE_HOME,ZK0_LOAD_PLUGINS,HF_HUB_OFFLINE keeps it\n"
    )
    text = (home / "units/zk0-client-main.service").read_text()
    assert f'Environment="ZK0_HOME={home}/ann/.local/share/zk0"\n' in text
    assert "\nUser=ann\n" in text
