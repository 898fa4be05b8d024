"""What the figures say, in sentences: did it learn, whom did it help, how sure is that."""

import attrs

from zk0_core.report.figures import ClientRow, Figures
from zk0_core.report.formats import number, percent, percents, points, relative
from zk0_core.report.rates import Change


@attrs.frozen
class Verdict:
    """The answers at the top of the page."""

    learned: str
    tone: str
    """better, worse, unsure or unknown."""
    sure: tuple[str, ...]
    whom: tuple[str, ...]


def verdict_of(figures: Figures) -> Verdict:
    """Return what `figures` say, and no more than they say."""
    whom = (*_parts(figures), *_clients(figures.clients))
    if figures.success and figures.success_rounds:
        tone = figures.success.verdict
        learned = _success(figures.success, figures.success_rounds)
        return Verdict(learned, tone, _sure(figures.success), whom)
    if loss := figures.policy_loss:
        if loss.first_round == loss.last_round:
            only = (
                f"Held-out loss is {number(loss.last)}, measured once; nothing to compare it with."
            )
            return Verdict(only, "unknown", (), whom)
        way = "fell" if loss.last < loss.first else "did not fall"
        learned = (
            f"Held-out loss {way}: {number(loss.first)} in round {loss.first_round}, "
            f"{number(loss.last)} in round {loss.last_round} ({relative(loss.first, loss.last)})."
        )
        tone = "better" if loss.last < loss.first else "worse"
        unsure = "A lower loss makes success likelier, but doesn't show it: only trying does."
        return Verdict(learned, tone, (unsure,), whom)
    return Verdict(
        "Nothing was evaluated yet: whether it learned is not known.", "unknown", (), whom
    )


def _success(change: Change, rounds: tuple[int, int]) -> str:
    after = f"{percent(change.after.value)} in round {rounds[1]}"
    if change.before is None:
        return f"Success is {after}; there is no earlier evaluation to compare it with."
    before = f"{percent(change.before.value)} {_start(rounds[0])}"
    if change.verdict == "better":
        return f"It learned: success rose from {before} to {after}."
    if change.verdict == "worse":
        return f"It got worse: success fell from {before} to {after}."
    if change.verdict == "unsure":
        return f"Not sure that it learned: success was {before} and is {after}."
    return f"Success was {before} and is {after}; its evaluator gives no interval."


def _start(round: int) -> str:
    return "untrained" if round == 0 else f"in round {round}"


def _sure(change: Change) -> tuple[str, ...]:
    if change.difference is None:
        return ()
    gain = change.after.value - (change.before.value if change.before else 0.0)
    difference = (
        f"The difference is {100 * gain:+.0f} points, with 95 % confidence "
        f"{points(change.difference)}.".replace("-", "−")
    )
    return (
        difference,
        "That covers the chance in which starts were tried. Another seed may train another policy: "
        "zk0 compare trains several.",
    )


def _parts(figures: Figures) -> list[str]:
    sentences = []
    for kind, changes in figures.parts.items():
        if len(changes) < 2:
            continue
        better = [entry.name for entry in changes if entry.verdict == "better"]
        worse = [entry.name for entry in changes if entry.verdict == "worse"]
        if any(entry.difference for entry in changes):
            named = f": {', '.join(better)}" if better else ""
            sentences.append(f"Clearly better in {len(better)} of {len(changes)} {kind}{named}.")
        if worse:
            sentences.append(f"Clearly worse in {', '.join(worse)}.")
        ordered = sorted(changes, key=lambda entry: entry.after.value)
        low, high = ordered[0], ordered[-1]
        sentences.append(
            f"Best in {high.name}, {percent(high.after.value)} ({percents(high.after.interval)}); "
            f"worst in {low.name}, {percent(low.after.value)} ({percents(low.after.interval)})."
        )
    return sentences


def _clients(rows: tuple[ClientRow, ...]) -> list[str]:
    known = {
        row.client: row.loss
        for row in rows
        if row.loss and row.loss.first_round < row.loss.last_round
    }
    if not known:
        return []
    fell = [name for name, loss in known.items() if loss.last < loss.first]
    rose = [name for name in known if name not in fell]
    if rose:
        return [
            f"Training loss fell for {len(fell)} of {len(known)} clients; not for {_few(rose)}."
        ]
    everyone = "both" if len(known) == 2 else f"all {len(known)}"
    least = max(known, key=lambda name: known[name].last / known[name].first)
    change = relative(known[least].first, known[least].last)
    if len(known) == 1:
        return [f"Training loss of {least} fell, by {change.lstrip('−')}."]
    return [f"Training loss fell for {everyone} clients, least for {least} ({change})."]


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
