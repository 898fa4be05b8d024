"""Clients whose updates stand out among the others', over all rounds of a history.

A report and no verdict: an arm that is used in another way than the others' stands out too, and
nobody is left out for it. What an update can do is bounded by the strategy.
"""

import statistics
from collections.abc import Iterator, Sequence

from zk0_core.history import ClientRecord, History

LONG = 5.0
"""How many times as long as the median of the others' an update stands out."""

AGREED = 0.2
"""Cosine to each other's mean from which on the others agree where to go. Near the end of training
they do not, and then whose update points away from theirs says nothing."""

SHARE = 0.5
"""Of the rounds that tell, in how many a client must stand out."""

FEWEST = 3
"""Clients in a round, and rounds that tell, below which nothing is said."""


def outliers(history: History) -> list[str]:
    """Return a sentence for each client that stands out, in order of name."""
    rounds = [record.clients for record in history.rounds if len(record.clients) >= FEWEST]
    names = sorted({entry.client for clients in rounds for entry in clients})
    return [sentence for name in names for sentence in _sentences(name, rounds)]


def _sentences(name: str, rounds: list[Sequence[ClientRecord]]) -> Iterator[str]:
    lengths, cosines = [], []
    for clients in rounds:
        own = next((entry for entry in clients if entry.client == name), None)
        others = [entry for entry in clients if entry.client != name]
        if own is None:
            continue
        usual = statistics.median(entry.update_norm for entry in others)
        if usual > 0:
            lengths.append(own.update_norm / usual)
        if own.cosine is not None and _agreement(others) >= AGREED:
            cosines.append(own.cosine)
    long = [length for length in lengths if length >= LONG]
    if _enough(long, lengths):
        yield (
            f"{name}: updates {statistics.median(long):.0f} times as long as the others' in "
            f"{len(long)} of {len(lengths)} rounds"
        )
    away = [cosine for cosine in cosines if cosine < 0]
    if _enough(away, cosines):
        yield (
            f"{name}: updates point away from where the others go in {len(away)} of "
            f"{len(cosines)} rounds (cosine {statistics.fmean(away):.2f})"
        )


def _agreement(others: Sequence[ClientRecord]) -> float:
    known = [entry.cosine for entry in others if entry.cosine is not None]
    return statistics.median(known) if known else 0.0


def _enough(standing_out: list[float], telling: list[float]) -> bool:
    return len(telling) >= FEWEST and len(standing_out) >= SHARE * len(telling)
