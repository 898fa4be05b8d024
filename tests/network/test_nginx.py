"""nginx in front; nodes train through it wherever it is installed, and in test_stop.py.

What does not get through is in test_attacks.py.
"""

from pathlib import Path

import pytest

from zk0_core.errors import UsageError
from zk0_core.federation import nginx
from zk0_core.federation.folder import ServerFolder


def test_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(nginx, "SYSTEM_PATHS", ())
    with pytest.raises(UsageError) as refused:
        nginx.program()
    assert str(refused.value) == (
        "--front nginx: nginx is not installed; install it, for example with sudo apt-get install "
        "nginx-light, or take --front built-in"
    )


@pytest.mark.parametrize("name", ["a b", "a;b", "$a"])
def test_a_path_that_nginx_would_read_otherwise(tmp_path: Path, name: str) -> None:
    folder = ServerFolder(tmp_path / name / "server")
    with pytest.raises(UsageError) as refused:
        nginx.configure(folder, "127.0.0.1:1", "127.0.0.1:2", "0.0.0.0:3", ("crt", "key"))
    assert str(refused.value) == (
        f"--front nginx cannot use '{folder.path / 'nginx'}': its path has a blank or one of "
        ";{}'\"\\$#; choose another ZK0_HOME, or take --front built-in"
    )


def test_it_is_taken_where_it_is_installed_and_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before 1.19.5 it does not know the flag -e, and ends."""
    for name, status in (("new", 0), ("old", 1)):
        (tmp_path / name).write_text(f'#!/bin/sh\n[ "$1" = -e ] && exit {status}\n')
        (tmp_path / name).chmod(0o755)
    assert [nginx.is_chosen(front, "/a") for front in ("nginx", "built-in")] == [True, False]
    monkeypatch.setattr(nginx, "installed", lambda: str(tmp_path / "old"))
    assert not nginx.is_chosen("auto", "/a", "/b")
    monkeypatch.setattr(nginx, "installed", lambda: str(tmp_path / "new"))
    assert nginx.is_chosen("auto", "/a", "/b")
    assert not nginx.is_chosen("auto", "/a", "/a b")
    monkeypatch.setattr(nginx, "installed", lambda: None)
    assert not nginx.is_chosen("auto", "/a", "/b")
