"""A hundred clients of one recording: what they have in common is there once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from recordings import Recording, write_v3

from zk0_core.parts import open_dataset
from zk0_core.plan import ClientPlan, PluginChoice
from zk0_core.run import run
from zk0_core.testing import examples

CLIENTS = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An episode for each client, of two instructions in turn."""
    recording = Recording(lengths=(4,) * CLIENTS)
    return write_v3(tmp_path_factory.mktemp("recordings") / "desk", recording)


def addresses(folder: Path) -> list[str]:
    return [f"local:{folder}?partition={number}/{CLIENTS}" for number in range(CLIENTS)]


def test_clients_of_one_recording_share_its_rows(folder: Path) -> None:
    datasets = [open_dataset(address) for address in addresses(folder)[:3]]
    assert [dataset.episodes[0].start for dataset in datasets] == [0, 4, 8]
    for dataset in datasets[1:]:
        assert dataset.state is datasets[0].state
        assert dataset.action is datasets[0].action
    assert not np.array_equal(datasets[0].state, datasets[0].action)
    assert {dataset.fingerprint for dataset in datasets} == {datasets[0].fingerprint}


@contextmanager
def private_memory(states: Path) -> Iterator[list[tuple[int, int]]]:
    """Yield how many clients have trained, and the most private memory of a process then."""
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.1):
            trained = len(list(states.glob("*/state/round_1.safetensors")))
            used = 0
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    memory = process.memory_info()
                    used = max(used, memory.rss - memory.shared)
            seen.append((trained, used))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@pytest.mark.long
def test_a_hundred_clients_complete_a_round_on_one_machine(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one worker, whose memory stays where it was after ten.

    A client that kept a policy of its own would take 20 MB.
    """
    monkeypatch.setenv("ZK0_CACHE", str(tmp_path / "cache"))
    plan = examples.plan(
        rounds=1,
        local_steps=1,
        batch_size=4,
        strategy=PluginChoice("strategy", "fedavg"),
        clients=tuple(
            ClientPlan(f"client-{number:03}", address)
            for number, address in enumerate(addresses(folder))
        ),
        optimizer_state="reset",
        workers=1,
    )
    with private_memory(tmp_path / "run" / "clients") as seen:
        history = run(plan, tmp_path / "run").history
    (record,) = history.rounds[1:]
    assert len(record.clients) == CLIENTS
    assert not record.refused
    assert all(np.isfinite(client.policy_loss) for client in record.clients)
    assert len({client.policy_loss for client in record.clients}) == CLIENTS
    early = max(used for trained, used in seen if 10 <= trained <= 30)
    late = max(used for trained, used in seen if trained >= CLIENTS - 5)
    assert (late - early) / 70 < 300e3
