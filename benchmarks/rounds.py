"""Rounds of the embedded default's four clients, without evaluation: where their time goes."""

import statistics
import tempfile
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
