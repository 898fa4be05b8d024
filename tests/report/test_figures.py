"""What the page says of a run, and what it must not say."""

from pathlib import Path

import attrs
import pytest

from tests.run_folders import client, history, plan, scored, tried
from zk0_core.history import History, Refusal, RoundRecord
from zk0_core.plan import RunPlan
from zk0_core.report.figures import Ends, figures_of
from zk0_core.report.reading import run_of
from zk0_core.report.verdict import Verdict, verdict_of


def verdict(happened: History, planned: RunPlan | None = None) -> Verdict:
    return verdict_of(figures_of(run_of(planned or plan(), happened, Path("small"))))


def troubles(happened: History, planned: RunPlan | None = None) -> tuple[str, ...]:
    return figures_of(run_of(planned or plan(), happened, Path("small"))).troubles


def scores(*losses: float | None) -> History:
    """Return rounds that are only scored, never tried."""
    return History(
        tuple(
            RoundRecord(
                round=number, policy_loss=loss, datasets=() if loss is None else (scored(loss),)
            )
            for number, loss in enumerate(losses)
        )
    )


def tries(*counts: tuple[int, int]) -> History:
    """Return rounds that are only tried."""
    return History(
        tuple(
            RoundRecord(round=number, success_rate=sum(count) / 20, datasets=(tried(*count),))
            for number, count in enumerate(counts)
        )
    )


def test_figures_are_those_of_the_history() -> None:
    found = figures_of(run_of(plan(), history(), Path("outputs/small")))
    assert (found.name, found.rounds, found.done) == ("small", 2, 2)
    assert found.policy_loss == Ends(2.0, 0.5, 0, 2)
    assert found.client_loss == Ends(0.9, 0.35, 1, 2)
    assert found.success_rounds == (0, 2)
    assert found.success is not None and found.success.before is not None
    assert (found.success.before.successes, found.success.after.successes) == (0, 14)
    assert (found.bytes_up, found.bytes_down, found.seconds) == (4000, 6000, 70.0)
    left, right, late = found.clients
    assert (left.client, left.rounds, left.examples, left.refused) == ("left", 2, 100, 0)
    assert right.loss == Ends(1.0, 0.5, 1, 2)
    assert right.boost == pytest.approx(1.075)  # the mean of 1.15 and 1
    assert (late.rounds, late.examples, late.loss, late.refused) == (0, None, None, 1)
    assert [(entry.name, entry.after.value) for entry in found.parts["regions"]] == [
        ("left", 0.9),
        ("right", 0.5),
    ]
    assert found.scores[0].names == ("policy_loss", "episodes")
    assert [row[2] for row in found.scores[0].rows] == [(2.0, 8), (1.0, 8), (0.5, 8)]
    assert [chart.key for chart in found.charts] == [
        "loss",
        "success",
        "lr",
        "mu",
        "bytes",
        "seconds",
    ]


def test_a_sure_rise_is_called_learning() -> None:
    """From 0/20 [0, 0.161] to 14/20 [0.481, 0.855]: 0.7 − √(0.219² + 0.161²) = 0.43, and 0.855."""
    found = verdict(history())
    assert found.learned == "It learned: success rose from 0 % untrained to 70 % in round 2."
    assert found.tone == "better"
    assert found.sure[0] == "The difference is +70 points, with 95 % confidence +43 to +85."
    assert found.whom == (
        "Clearly better in 2 of 2 regions: left, right.",
        "Best in left, 90 % (60 to 98 %); worst in right, 50 % (24 to 76 %).",
        "Training loss fell for both clients, least for right (−50 %).",
    )


@pytest.mark.parametrize(
    ("happened", "learned", "tone"),
    [
        (
            tries((2, 1), (3, 1)),
            "Not sure that it learned: success was 15 % untrained and is 20 % in round 1.",
            "unsure",
        ),
        (
            tries((9, 9), (0, 0)),
            "It got worse: success fell from 90 % untrained to 0 % in round 1.",
            "worse",
        ),
        (
            tries((9, 9)),
            "Success is 90 % in round 0; there is no earlier evaluation to compare it with.",
            "unknown",
        ),
        (
            scores(2.0, None, 0.5),
            "Held-out loss fell: 2.00 in round 0, 0.500 in round 2 (−75 %).",
            "better",
        ),
        (
            scores(1.0, 1.5),
            "Held-out loss did not fall: 1.00 in round 0, 1.50 in round 1 (+50 %).",
            "worse",
        ),
        (
            scores(2.0),
            "Held-out loss is 2.00, measured once; nothing to compare it with.",
            "unknown",
        ),
        (History(), "Nothing was evaluated yet: whether it learned is not known.", "unknown"),
    ],
)
def test_nothing_is_claimed_that_was_not_measured(
    happened: History, learned: str, tone: str
) -> None:
    found = verdict(happened)
    assert (found.learned, found.tone) == (learned, tone)


def test_a_rate_without_interval_is_no_verdict() -> None:
    bare = [
        RoundRecord(round=n, datasets=({"name": "a", "success_rate": rate},))
        for n, rate in enumerate((0.0, 0.5))
    ]
    found = verdict(History(tuple(bare)))
    assert found.learned == (
        "Success was 0 % untrained and is 50 % in round 1; its evaluator gives no interval."
    )
    assert found.sure == ()


def test_clients_that_did_not_gain_are_named() -> None:
    first, last = (
        RoundRecord(round=n, clients=(client("left", a), client("right", b)))
        for n, (a, b) in enumerate(((0.5, 0.5), (0.4, 0.6)), start=1)
    )
    assert verdict(History((first, last))).whom == (
        "Training loss fell for 1 of 2 clients; not for right.",
    )


def test_a_run_as_planned_has_no_troubles() -> None:
    kept = [attrs.evolve(record, refused=()) for record in history().rounds]
    assert troubles(History(tuple(kept))) == ()


def test_what_went_wrong_is_said() -> None:
    refused = (Refusal("right", "NaN in head.bias"),)
    rounds = [RoundRecord(round=0, datasets=(scored(2.0),))] + [
        RoundRecord(round=n, refused=refused, counted=n > 13) for n in range(1, 15)
    ]
    assert troubles(History(tuple(rounds)), plan(rounds=20)) == (
        "14 of 20 rounds are over: the run goes on, or was stopped.",
        "Rounds 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 1 more did not count: too few usable "
        "updates; the model stayed as it was.",
        "14 updates of right refused (rounds 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more): "
        "NaN in head.bias",
        "No update ever came from left.",
        "Evaluator sim-success gave nothing on sim:lift?region=all in round 0.",
        "No evaluator tried the policy, so success is not known; sim-success does.",
    )


def test_who_sent_nothing_had_no_update_refused() -> None:
    refusal = Refusal("right", "its zk0 is older", failed=True)
    rounds = (RoundRecord(round=0, refused=(refusal,)), RoundRecord(round=1))
    said = troubles(History(rounds), plan(evaluations=(), rounds=1))
    assert said[0] == "No update came from right (round 0): its zk0 is older"


def test_a_run_without_evaluations_says_so() -> None:
    assert troubles(History((RoundRecord(round=0),)), plan(evaluations=(), rounds=0)) == (
        "No evaluation is planned, so only the clients' own training losses are known.",
    )


def test_many_clients_are_drawn_as_one_crowd() -> None:
    names = [f"arm-{number}" for number in range(9)]
    round = RoundRecord(round=1, lr=1e-3, clients=tuple(client(name, 0.5) for name in names))
    found = figures_of(run_of(plan(), History((round,)), Path("small")))
    loss = found.charts[0]
    assert [(curve.label, curve.colour) for curve in loss.series[:2]] == [
        ("mean client", 1),
        ("arm-0", -1),
    ]
    assert loss.text.endswith("arm-6 0.500 in round 1, 0.500 in round 1; and 2 more.")


def test_figures_by_part_stand_beside_the_others_with_their_units() -> None:
    """A joint is a column; what maps names to no numbers is none."""
    replayed = {
        "name": "local:/data/desk",
        "mean_absolute_error": 4.0,
        "error_by_joint": {"pan": 3.0, "gripper": 5.0},
        "units": {"pan": "degrees", "gripper": "percent"},
    }
    record = RoundRecord(round=0, datasets=(replayed,))
    (scores,) = figures_of(run_of(plan(), History((record,)), Path("small"))).scores
    assert scores.names == (
        "mean_absolute_error",
        "error_by_joint pan (degrees)",
        "error_by_joint gripper (percent)",
    )
    assert scores.rows == ((0, None, (4.0, 3.0, 5.0)),)
