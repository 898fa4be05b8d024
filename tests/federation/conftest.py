"""A server that has its own authority, and an authority that is somebody else's."""

from pathlib import Path

import pytest

from tests.foreign import ForeignAuthority
from zk0_core.federation.certificates import ensure_authority
from zk0_core.federation.folder import ServerFolder


@pytest.fixture
def folder(tmp_path: Path) -> ServerFolder:
    folder = ServerFolder(tmp_path / "main" / "server")
    ensure_authority(folder.certificates)
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> ForeignAuthority:
    return ForeignAuthority(tmp_path / "foreign")
