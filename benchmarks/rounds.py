"""Rounds of the embedded default's four clients, without evaluation: where their time goes."""

import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Rounds:
    """What the rounds after the first took: in that one policies and caches are loaded."""

    waiting: tuple[float, ...]
    """Share of each client's round that it waited for data."""
    wall: tuple[float, ...]
    """Seconds of each round."""
    training: tuple[float, ...]
    """Seconds of each round that the busiest worker trained."""
    bytes_up: int
    """Of one client in one round."""
    bytes_down: int

    @property
    def over_training(self) -> float:
        """A round's time over its busiest worker's training, the middle of all rounds."""
        return statistics.median(w / t for w, t in zip(self.wall, self.training, strict=True))


def measure(rounds: int, local_steps: int, episodes: int) -> Rounds:
    """Run the four simulated clients for so many rounds of `local_steps`."""
    from zk0_core.engines.workers import default_count
    from zk0_core.run import run

    workers = default_count()
    with tempfile.TemporaryDirectory(prefix="zk0-bench-") as folder:
        history = run(plan(rounds, local_steps, episodes), Path(folder) / "run").history
    later = history.rounds[2:]
    busiest = []
    for record in later:
        # Client i sticks to worker i modulo their count; records are in order of name, as clients.
        seconds = [client.seconds for client in record.clients]
        busiest.append(max(sum(seconds[worker::workers]) for worker in range(workers)))
    clients = [client for record in later for client in record.clients]
    return Rounds(
        waiting=tuple(client.seconds_data / client.seconds for client in clients),
        wall=tuple(record.seconds for record in later),
        training=tuple(busiest),
        bytes_up=clients[0].bytes_up,
        bytes_down=clients[0].bytes_down,
    )


@attrs.frozen(kw_only=True)
class Many:
    """Rounds of one local step with many clients, after the first."""

    seconds: float
    """Of a round, divided by its clients: the middle of all rounds."""
    peak_mib: float
    """Most memory that a process had, the server's or a worker's."""


def measure_many(clients: int, rounds: int, episodes: int) -> Many:
    """Run so many clients on four datasets, with an optimizer that starts afresh every round.

    A kept optimizer is 10 MB on disk for each client and round, which is what would be measured.
    """
    from zk0_core.plan import ClientPlan
    from zk0_core.run import run

    default = plan(rounds, 1, episodes)
    many = tuple(
        ClientPlan(f"client-{i:04d}", default.clients[i % len(default.clients)].dataset)
        for i in range(clients)
    )
    with tempfile.TemporaryDirectory(prefix="zk0-bench-") as folder, peak_memory() as peak:
        asked = attrs.evolve(default, clients=many, optimizer_state="reset")
        history = run(asked, Path(folder) / "run").history
    later = history.rounds[2:]
    assert all(len(record.clients) == clients for record in later)
    return Many(
        seconds=statistics.median(record.seconds for record in later) / clients,
        peak_mib=max(peak.values()) / 2**20,
    )


@contextmanager
def peak_memory() -> Iterator[dict[int, int]]:
    """Yield the most memory that each process at work had, in bytes by its id.

    Looks twice a second. What is mapped from files counts only where it was written to.
    """
    import psutil

    most: dict[int, int] = {}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            own = psutil.Process()
            for process in (own, *own.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    memory = process.memory_info()
                    used = memory.rss - memory.shared
                    most[process.pid] = max(used, most.get(process.pid, 0))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def plan(rounds: int, local_steps: int, episodes: int) -> Any:
    """Return the embedded default with so many rounds, and without what is not training."""
    from zk0_core.preset import preset_settings
    from zk0_core.registry import Registry
    from zk0_core.resolve import resolve_plan

    default = resolve_plan(preset_settings(), Registry.discover())
    clients = sorted(
        (
            attrs.evolve(
                client, dataset=client.dataset.replace("episodes=50", f"episodes={episodes}")
            )
            for client in default.clients
        ),
        key=lambda client: client.name,
    )
    return attrs.evolve(
        default,
        rounds=rounds,
        local_steps=local_steps,
        clients=tuple(clients),
        evaluations=(),
        reporters=(),
        checkpoint_every=0,
        eval_every=0,
    )
