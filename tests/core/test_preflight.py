"""Who is there before the first round."""

from pathlib import Path

import pytest

from zk0_core.engines.local import LocalGrid
from zk0_core.engines.workers import Workers
from zk0_core.errors import RoundError
from zk0_core.server.exchange import Exchange, Patience
from zk0_core.server.preflight import call_roll


def test_clients_that_do_not_come_are_counted(tmp_path: Path) -> None:
    workers = Workers(1, threads=1)
    exchange = Exchange(LocalGrid([], tmp_path, workers), tmp_path, Patience(connect=0.1))
    with pytest.raises(RoundError, match="0 of 2 clients are connected; start the others"):
        call_roll(exchange, recipe=None, expected=2)  # type: ignore[arg-type]  # never sent
    workers.close()
