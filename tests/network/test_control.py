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
from zk0_core.federation.processes import free_port


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


def test_a_run_that_has_ended_or_is_unknown_is_stopped_already(tmp_path: Path) -> None:
    """The status says so, whatever the words are: a lost database must not block a server."""
    folder = ServerFolder(tmp_path / "server")
    for status in (404, 412):
        with superlink_that_answers(status, folder) as control:
            control.stop_run(7)
    with superlink_that_answers(500, folder) as control, pytest.raises(Zk0Error) as problem:
        control.stop_run(7)
    assert str(problem.value) == "run 7 was not stopped: database is locked"


def test_a_superlink_that_is_down_is_told_in_one_line(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path / "server")
    ensure_authority(folder.certificates)
    with closing(Control(f"127.0.0.1:{free_port()}", folder.ca)) as control:
        for ask in (control.stop_run, control.run_state):
            with pytest.raises(Zk0Error, match=r"^the SuperLink does not answer: .*refused"):
                ask(7)
