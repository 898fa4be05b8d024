"""A worker that dies, as one does that the kernel kills for memory."""

import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from flwr.app import Message, RecordDict

from zk0_core.engines.grid import FIRST_NODE
from zk0_core.engines.local import LocalGrid
from zk0_core.engines.workers import Workers, stopping_when_lost
from zk0_core.errors import Zk0Error
from zk0_core.plan import ClientPlan


def test_it_ends_the_run_with_what_to_do(tmp_path: Path) -> None:
    workers = Workers(1, threads=1)
    try:
        with pytest.raises(Zk0Error) as ended, stopping_when_lost(tmp_path):
            workers.submit(0, os._exit, 9).result()
        with pytest.raises(BrokenProcessPool):
            workers.submit(0, os.getpid)
    finally:
        workers.close()
    assert str(ended.value) == (
        "a worker process has died, most often since memory ran out; all rounds up to the last "
        f"checkpoint are intact; free some memory, then zk0 resume {tmp_path}, or start a run with "
        "fewer workers"
    )


def test_it_is_no_failure_of_its_clients(tmp_path: Path) -> None:
    """A round without them would be recorded, and the run that is resumed be another one."""
    workers = Workers(1, threads=1)
    grid = LocalGrid([ClientPlan("ann", "tiny:")], tmp_path, workers)
    lost: Future[Message] = Future()
    lost.set_exception(BrokenProcessPool("terminated abruptly"))
    grid._sent["sent"] = Message(RecordDict(), FIRST_NODE, "train"), lost
    with pytest.raises(BrokenProcessPool):
        grid.pull_messages(["sent"])
    workers.close()
