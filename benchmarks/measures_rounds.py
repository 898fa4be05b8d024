"""Whole rounds on one machine: what they take beside training."""

import statistics
from typing import Any

from measure import Measure


def data_wait_share(short: bool) -> Measure:
    """Which share of its round a client waits for data, the worst of all."""
    seen = _rounds(short)
    worst = max(seen.waiting)
    return Measure(value=worst, ours=worst, theirs=None, samples=len(seen.waiting))


def round_over_training(short: bool) -> Measure:
    """A round's wall time over the busiest worker's training, 4 clients."""
    seen = _rounds(short)
    return Measure(
        value=seen.over_training,
        ours=statistics.median(seen.wall),
        theirs=statistics.median(seen.training),
        samples=len(seen.wall),
        facts={"client_up_mb": seen.bytes_up / 1e6, "client_down_mb": seen.bytes_down / 1e6},
    )


def _rounds(short: bool) -> Any:
    import rounds

    return rounds.measure(3, 5, 3) if short else rounds.measure(12, 100, 50)


def overhead_vs_flower_ray(short: bool) -> Measure:
    """What a run of 10 rounds takes beside training on Flower's engine Ray, over ours."""
    import engines

    size = (2, 2, 3) if short else (10, 10, 50)
    engines.measure("local", *size)  # recordings and caches are there for both
    pairs = [
        (engines.measure("local", *size), engines.measure("ray", *size))
        for _ in range(1 if short else 3)
    ]
    if len({cost.hashes for pair in pairs for cost in pair}) > 1:
        raise SystemExit("the two engines' parameters differ")
    ours, theirs = zip(*pairs, strict=True)
    middle = statistics.median
    return Measure(
        value=middle(their.overhead / our.overhead for our, their in pairs),
        ours=middle(cost.overhead for cost in ours),
        theirs=middle(cost.overhead for cost in theirs),
        samples=len(pairs),
        facts={
            "wall": middle(cost.wall for cost in ours),
            "wall_on_ray": middle(cost.wall for cost in theirs),
            "training": middle(cost.training for cost in ours),
        },
    )


def per_client_seconds_1000_over_10(short: bool) -> Measure:
    """Seconds a client in a round of 1,000 over those in one of 10; one local step each."""
    import rounds

    few, many = (
        rounds.measure_many(clients, rounds=4 if clients == 10 else 3, episodes=3)
        for clients in (10, 12 if short else 1000)
    )
    return Measure(
        value=many.seconds / few.seconds,
        ours=many.seconds,
        theirs=few.seconds,
        samples=1,
        facts={
            "peak_mib": many.peak_mib,
            "peak_mib_of_10": few.peak_mib,
            "peak_over_that_of_10": many.peak_mib / few.peak_mib,
        },
    )
