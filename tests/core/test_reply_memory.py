"""One reply at a time: what was read of a client is gone before the next one's is there."""

import gc
import tracemalloc
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict

from zk0_core.parts import build_strategy, strategy_record
from zk0_core.plan import PluginChoice
from zk0_core.server.envelope import check_envelope
from zk0_core.testing.loopback import Answer, run_one_round
from zk0_core.wire.packing import bytes_in, pack, tensors_from
from zk0_core.wire.spool import write_record


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """What only the garbage collector would free may as well stay for ever."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_a_record_that_was_read_is_free(tmp_path: Path) -> None:
    packed = pack({"w": np.zeros(2, np.float32)})
    record = RecordDict({"update": packed.arrays})
    record["header"] = ConfigRecord({"update": packed.hash})
    arrays = weakref.ref(packed.arrays)
    del packed
    check_envelope(record, 10_000)
    tensors_from(record, "update", "ann")
    assert bytes_in(record) > 0
    write_record(tmp_path / "ann.spool", record)
    del record
    assert arrays() is None


TENSORS, SIZE = 32, 2**16
MODEL = TENSORS * SIZE * 4
"""Bytes of the parameters."""


@pytest.mark.parametrize("arrival", ["abcd", "dcba", "badc"])
def test_a_round_holds_one_reply_at_a_time(arrival: str) -> None:
    """Also when some come before their turn, and wait on disk.

    Parameters, sums in float64, and either the order, a reply or the new parameters: 4 models.
    """
    # All in one place: what a client has takes no memory before it is packed.
    delta = {f"w{i}": np.broadcast_to(np.float32(1), SIZE) for i in range(TENSORS)}
    answers = {client: Answer(10, delta) for client in "abcd"}
    choice = PluginChoice("strategy", "fedavg")
    strategy, record = build_strategy(choice), strategy_record(choice)
    run_one_round(strategy, record, {}, {"a": Answer(10, {})}, choice=choice)  # imports
    tracemalloc.start()
    params = {name: np.ones(SIZE, np.float32) for name in delta}
    run_one_round(strategy, record, params, answers, choice=choice, arrival=arrival)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4.5 * MODEL


@pytest.mark.parametrize("name", ["fedavg", "fedprox", "fedadam", "scaffold"])
def test_four_times_the_clients_take_no_more_memory(name: str) -> None:
    assert peak(name, 16) < 1.1 * peak(name, 4)


def peak(name: str, clients: int) -> int:
    """Return the most bytes that a round takes with so many clients."""
    tensors = {f"w{i}": np.broadcast_to(np.float32(1), SIZE // 2) for i in range(TENSORS)}
    extra = tensors if name == "scaffold" else {}
    answers = {f"client-{i:02}": Answer(10, tensors, extra) for i in range(clients)}
    choice = PluginChoice("strategy", name)
    strategy, record = build_strategy(choice), strategy_record(choice)
    few = dict(list(answers.items())[:2])
    # The first round brings imports, and what the strategy keeps of its own.
    params = {name: np.ones(SIZE // 2, np.float32) for name in tensors}
    run_one_round(strategy, record, params, few, choice=choice)
    tracemalloc.start()
    run_one_round(strategy, record, params, answers, choice=choice)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most
