"""Clients that sent what could not be used too often, and are not asked any more."""

from collections import Counter
from collections.abc import Sequence

from zk0_core.errors import RoundError
from zk0_core.history import History


def quarantined(history: History, after: int) -> tuple[str, ...]:
    """Return the clients of which `after` updates were refused, in order of name.

    A client that failed has sent nothing to refuse. That history alone decides makes a resumed run
    the same run.

    Args:
        history: The rounds so far.
        after: How many refusals are enough; 0 for never.
    """
    counts = Counter(
        refusal.client
        for record in history.rounds
        for refusal in record.refused
        if not refusal.failed
    )
    return tuple(sorted(client for client, count in counts.items() if after and count >= after))


def outside(clients: Sequence[str], quarantine: Sequence[str]) -> list[str]:
    """Return those of `clients` that are not in `quarantine`.

    Raises:
        RoundError: if nobody is left to be asked.
    """
    if not clients:
        raise RoundError(
            "no client is left to be asked: who was there has left, and who came since cannot take "
            "part; see logs/server.log"
        )
    left = [client for client in clients if client not in quarantine]
    if not left:
        raise RoundError(
            f"no client is left to be asked: {', '.join(quarantine)} sent what could not be used "
            "too often; see history.jsonl, or set quarantine_after = 0 in the run file"
        )
    return left
