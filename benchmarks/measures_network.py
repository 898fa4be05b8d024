"""A federation's rounds over loopback, against plain Flower's."""

import statistics

from measure import Measure


def round_overhead_over_flower(short: bool) -> Measure:
    """Seconds that a federation's round takes beside training, less plain Flower's whole round."""
    import network

    taken = network.measure(25, 3 if short else 12, ["float32"])
    rounds = taken.ours["float32"]
    median = statistics.median(round.whole - round.training for round in rounds)
    return Measure(
        value=median - taken.flower,
        ours=median,
        theirs=taken.flower,
        samples=len(rounds),
        facts={"flower_with_database": taken.flower_database, **network.medians(rounds)},
    )


def exchange_400mb_over_flower(short: bool) -> Measure:
    """Seconds that 400 MB take to 2 nodes and back, float32, over plain Flower's."""
    import network

    values, rounds = (1_000_000, 2) if short else (100_000_000, 4)
    taken = network.measure(values, rounds, ["float32", "bfloat16"])
    float32, bfloat16 = (
        statistics.median(round.exchange for round in of_codec) for of_codec in taken.ours.values()
    )
    return Measure(
        value=float32 / taken.flower,
        ours=float32,
        theirs=taken.flower,
        samples=len(taken.ours["float32"]),
        facts={
            "bfloat16_over_float32": bfloat16 / float32,
            "bfloat16_over_flower": bfloat16 / taken.flower,
            "over_flower_with_database": float32 / taken.flower_database,
            **network.medians(taken.ours["float32"]),
        },
    )
