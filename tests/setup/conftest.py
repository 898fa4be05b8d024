"""A machine on which nothing of zk0 is there yet."""

from pathlib import Path

import pytest

from tests.setup.machines import bare_machine


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A repository in `project`, a `home`, a PATH in `bin`; uv notes its calls in `calls`."""
    bare_machine(tmp_path)
    return tmp_path
