"""Who sends what cannot be used is not asked for ever, and a run without anybody ends."""

from collections.abc import Sequence

import attrs
import numpy as np
import pytest

from tests.robustness.forging import first
from zk0_core.errors import RoundError
from zk0_core.history import History, Refusal, RoundRecord
from zk0_core.server.quarantine import outside, quarantined


def refusals(*rounds: Sequence[str], failed: bool = False) -> History:
    return History(
        tuple(
            RoundRecord(
                round=number, refused=tuple(Refusal(client, "NaN", failed) for client in clients)
            )
            for number, clients in enumerate(rounds)
        )
    )


def test_quarantine_counts_refusals_and_no_failures() -> None:
    history = refusals(["a"], ["a", "b"], [], ["b", "a"])
    assert quarantined(history, 2) == ("a", "b")
    assert quarantined(history, 3) == ("a",)
    assert quarantined(history, 4) == ()
    assert quarantined(history, 0) == ()
    assert quarantined(refusals(["a"], ["a"], ["a"], failed=True), 1) == ()


def test_who_could_not_take_part_is_in_the_rounds_record(federate, quadratic) -> None:
    clients = federate({"ann": quadratic([1.0], [1.0])}, "fedavg")
    refusal = Refusal("bob", "its zk0 is older", failed=True)
    roster = attrs.evolve(clients.federation.roster, refused=(refusal,))
    clients.federation = attrs.evolve(clients.federation, roster=roster)
    record = clients.round()
    assert (record.refused, record.counted) == ((refusal,), True)


def test_three_rounds_without_enough_updates_end_the_run(federate, quadratic) -> None:
    """One of three is refused for good after two rounds; a third is needed."""
    problems = {name: quadratic([1.0], [1.0]) for name in ("ann", "bob", "evil")}
    clients = federate(problems, "fedavg", min_updates=3, quarantine_after=2)
    clients.grid.forge["evil"] = first(np.nan)
    for _ in range(2):
        assert not clients.round().counted
    with pytest.raises(RoundError) as ended:
        clients.round()
    assert str(ended.value) == (
        "3 rounds in a row had too few usable updates (round 3 had 2 of the 3 that it needs; evil "
        "is not asked any more)"
    )


def test_nobody_left_to_ask_ends_the_run() -> None:
    assert outside(["a", "b"], ("a",)) == ["b"]
    with pytest.raises(RoundError) as ended:
        outside(["a", "b"], ("a", "b"))
    assert str(ended.value) == (
        "no client is left to be asked: a, b sent what could not be used too often; see "
        "history.jsonl, or set quarantine_after = 0 in the run file"
    )


def test_nobody_there_ends_the_run_too() -> None:
    with pytest.raises(RoundError) as ended:
        outside([], ())
    assert str(ended.value) == (
        "no client is left to be asked: who was there has left, and who came since cannot take "
        "part; see logs/server.log"
    )
