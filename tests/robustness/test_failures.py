"""Two hundred rounds, in which one client fails at random."""

import gc
import random
import tracemalloc
from typing import Any

import pytest
from flwr.app import Error, RecordDict

from zk0_core.history import from_line, to_line
from zk0_core.report.reading import Run
from zk0_core.report.trouble import troubles_of

ROUNDS, WARM = 200, 50
CHANCE = 0.2
SLACK = 1.5
"""Times by which memory may grow more than by the rounds' records; one message kept a round would
be two."""


@pytest.mark.long
def test_a_client_that_fails_at_random_costs_its_own_updates_only(federate, quadratic) -> None:
    problems = {
        name: quadratic([1.0], [float(index)]) for index, name in enumerate(("ann", "bob", "cem"))
    }
    clients = federate(problems, "fedavg", local_steps=1)
    draw, failed = random.Random(0), set[int]()

    def flaky(content: RecordDict) -> Any:
        if draw.random() >= CHANCE:
            return content
        failed.add(len(clients.history.rounds) + 1)
        return Error(2, "killed for memory")

    clients.grid.forge["bob"] = flaky
    tracemalloc.start()
    try:
        for _ in range(WARM):
            clients.round()
        warm = held()
        for _ in range(ROUNDS - WARM):
            clients.round()
        grown = held() - warm
        copies = [from_line(to_line(record)) for record in clients.history.rounds[WARM:]]
        history = held() - warm - grown
    finally:
        tracemalloc.stop()
    assert len(copies) == ROUNDS - WARM
    assert grown < SLACK * history

    rounds = clients.history.rounds
    assert len(rounds) == ROUNDS
    # Of 200 at 0.2, 40 ± 6.
    assert 20 < len(failed) < 60
    for record in rounds:
        there = sorted(entry.client for entry in record.clients)
        lost = [(entry.client, entry.reason, entry.failed) for entry in record.refused]
        if record.round in failed:
            assert there == ["ann", "cem"]
            assert lost == [("bob", "client failed: killed for memory", True)]
        else:
            assert (there, lost) == (["ann", "bob", "cem"], [])
        assert record.counted
        # It is not to blame for what it did not send.
        assert record.quarantined == ()
    told = troubles_of(Run(clients.folder, {"rounds": ROUNDS, "clients": []}, clients.history))
    assert any(f"{len(failed)} updates of bob refused" in sentence for sentence in told)


def held() -> int:
    """Return the bytes that objects take which somebody still refers to."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_a_damaged_state_is_one_clients_failure(federate, quadratic) -> None:
    problems = {name: quadratic([1.0], [2.0]) for name in ("ann", "bob")}
    clients = federate(problems, "fedavg", local_steps=1)
    clients.round()
    path = clients.folder / "clients/bob/state/round_1.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    record = clients.round()
    assert [entry.client for entry in record.clients] == ["ann"]
    (refusal,) = record.refused
    assert (refusal.client, refusal.failed) == ("bob", True)
    assert refusal.reason.endswith("is damaged: its hash is not the one that was written with it")
