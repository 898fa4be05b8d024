"""What the SuperLink says of a run, and what it does not."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.answering import answering, tls_of
from zk0_core.engines._flower_control import Control
from zk0_core.errors import Zk0Error
from zk0_core.federation.certificates import ensure_authority
from zk0_core.federation.folder import ServerFolder


@contextmanager
def superlink_that_answers(status: int, folder: ServerFolder) -> Iterator[Control]:
    ensure_authority(folder.certificates)
    tls = tls_of(folder.certificates, "127.0.0.1")
    with (
        answering(lambda asked: (status, b"database is locked"), tls) as address,
        closing(Control(address, folder.ca)) as control,
    ):
        yield control


def test_a_run_is_unknown_only_when_the_superlink_says_so(tmp_path: Path) -> None:
    """Else a run that goes on would be started a second time."""
    folder = ServerFolder(tmp_path / "server")
    with superlink_that_answers(404, folder) as control:
        assert control.run_state(7) is None
    with superlink_that_answers(500, folder) as control, pytest.raises(Zk0Error) as problem:
        control.run_state(7)
    assert str(problem.value) == "the SuperLink does not tell of run 7: database is locked"
