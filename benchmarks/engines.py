"""The local engine against Flower's simulation on Ray: the same clients, rounds and figures."""

import tempfile
import time
from pathlib import Path

import attrs
import rounds


@attrs.frozen(kw_only=True)
class Cost:
    """What one run took beside its training."""

    wall: float
    """Seconds of the whole run, starting its workers included."""
    training: float
    """Seconds that a worker trained if all trained as long: as little as the busiest can have."""
    hashes: tuple[str, ...]
    """Of the global parameters, round by round."""

    @property
    def overhead(self) -> float:
        """Seconds that were no training."""
        return self.wall - self.training


def measure(engine: str, count: int, local_steps: int, episodes: int) -> Cost:
    """Run the embedded default's four clients for `count` rounds on `engine`."""
    from zk0_core.engines.workers import default_count
    from zk0_core.run import run

    plan = attrs.evolve(rounds.plan(count, local_steps, episodes), engine=engine)
    with tempfile.TemporaryDirectory(prefix="zk0-bench-") as folder:
        started = time.perf_counter()
        history = run(plan, Path(folder) / "run").history
        wall = time.perf_counter() - started
    seconds = sum(client.seconds for record in history.rounds for client in record.clients)
    return Cost(
        wall=wall,
        training=seconds / default_count(),
        hashes=tuple(record.params_hash for record in history.rounds),
    )
