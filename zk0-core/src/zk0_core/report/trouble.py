"""What did not go as planned in a run, a sentence each."""

from collections.abc import Iterator, Sequence

from zk0_core.history import Refusal
from zk0_core.outliers import outliers
from zk0_core.report.reading import Run

SHOWN = 12
"""Rounds that are named before the rest is only counted."""


def troubles_of(run: Run) -> list[str]:
    """Return what a reader has to know before trusting the figures; empty if all went well."""
    return [
        *run.damage,
        *_unfinished(run),
        *_lost(run),
        *_refused(run),
        *_quarantined(run),
        *(f"{sentence}." for sentence in outliers(run.history)),
        *_absent(run),
        *_blind(run),
    ]


def _unfinished(run: Run) -> Iterator[str]:
    if run.done < run.rounds:
        yield (f"{run.done} of {run.rounds} rounds are over: the run goes on, or was stopped.")


def _lost(run: Run) -> Iterator[str]:
    lost = [record.round for record in run.history.rounds if not record.counted]
    if lost:
        yield f"{_rounds(lost)} did not count: too few usable updates; the model stayed as it was."


def _refused(run: Run) -> Iterator[str]:
    found: dict[Refusal, list[int]] = {}
    for record in run.history.rounds:
        for refusal in record.refused:
            found.setdefault(refusal, []).append(record.round)
    for refusal, rounds in found.items():
        when = f"({_rounds(rounds).lower()}): {refusal.reason}"
        if refusal.failed:
            yield f"No update came from {refusal.client} {when}"
            continue
        updates = "An update" if len(rounds) == 1 else f"{len(rounds)} updates"
        yield f"{updates} of {refusal.client} refused {when}"


def _quarantined(run: Run) -> Iterator[str]:
    since: dict[str, int] = {}
    for record in run.history.rounds:
        for client in record.quarantined:
            since.setdefault(client, record.round)
    for client, round in since.items():
        yield f"{client} was not asked from round {round} on: too many of its updates were refused."


def _absent(run: Run) -> Iterator[str]:
    heard = {entry.client for record in run.history.rounds for entry in record.clients}
    heard |= {refusal.client for record in run.history.rounds for refusal in record.refused}
    missing = [c["name"] for c in run.plan.get("clients", ()) if c["name"] not in heard]
    if missing and run.done:
        yield f"No update ever came from {', '.join(missing)}."


def _blind(run: Run) -> Iterator[str]:
    """Yield what was not evaluated, or not as planned."""
    if not run.plan.get("evaluations"):
        yield "No evaluation is planned, so only the clients' own training losses are known."
        return
    scored = [record for record in run.history.rounds if record.datasets]
    if not scored:
        return
    for evaluation in run.plan["evaluations"]:
        lacking = [
            record.round
            for record in scored
            if evaluation["dataset"] not in [figures["name"] for figures in record.datasets]
        ]
        if lacking:
            yield (
                f"Evaluator {evaluation['evaluator']['name']} gave nothing on "
                f"{evaluation['dataset']} in {_rounds(lacking).lower()}."
            )
    if not any(figures.get("success_rate") is not None for r in scored for figures in r.datasets):
        yield "No evaluator tried the policy, so success is not known; sim-success does."


def _rounds(rounds: Sequence[int]) -> str:
    if len(rounds) == 1:
        return f"Round {rounds[0]}"
    named = ", ".join(map(str, rounds[:SHOWN]))
    rest = len(rounds) - SHOWN
    return f"Rounds {named} and {rest} more" if rest > 0 else f"Rounds {named}"
