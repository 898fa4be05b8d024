"""What is published: each package as a source archive and as a wheel, complete and in step."""

import email
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest
from environment import REPOSITORY, called, wheel

PACKAGES = ("zk0-core", "zk0-strategies", "zk0-schedulers", "zk0-cli")


def metadata(made: Path) -> Message:
    archive = zipfile.ZipFile(made)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_bytes(archive.read(name))


@pytest.mark.parametrize("package", (*PACKAGES, "zk0"))
def test_a_wheel_from_the_source_archive_is_that_of_the_repository(
    package: str, tmp_path: Path
) -> None:
    project = REPOSITORY / package if package in PACKAGES else REPOSITORY
    (direct := tmp_path / "direct").mkdir()
    made = wheel(project, direct)
    build = (sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path)
    called(*build, cwd=project)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    (through := tmp_path / "through").mkdir()
    again = wheel(tmp_path / archive.name.removesuffix(".tar.gz"), through)
    names = sorted(zipfile.ZipFile(made).namelist())
    assert sorted(zipfile.ZipFile(again).namelist()) == names

    told = metadata(made)
    assert told["Name"] == package
    assert told["Summary"]
    assert told["License-Expression"] == "Apache-2.0"
    assert told.get_all("License-File") == ["LICENSE"]
    assert told["Requires-Python"] == ">=3.12"
    assert told["Description-Content-Type"] == "text/markdown"
    assert f"# {package}\n" in told.get_payload()
    assert "Typing :: Typed" in told.get_all("Classifier")
    if package in PACKAGES:
        assert f"{package.replace('-', '_')}/py.typed" in names
        assert (project / "LICENSE").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()
    # One number for all, the changelog's newest.
    version = told["Version"]
    heading = next(
        line
        for line in (REPOSITORY / "CHANGELOG.md").read_text().splitlines()
        if line.startswith("## ")
    )
    assert heading.removeprefix("## ").partition(",")[0] == version
