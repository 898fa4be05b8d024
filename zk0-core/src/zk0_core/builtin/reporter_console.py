"""One line a round on the console."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from zk0_core.outliers import outliers
from zk0_core.records import NoOptions, ReporterPlugin

if TYPE_CHECKING:
    from zk0_core.history import History, RoundRecord
    from zk0_core.plan import RunPlan


def _to_stderr(line: str) -> None:
    """Print `line` where standard output stays free for results."""
    print(line, file=sys.stderr, flush=True)


class ConsoleReporter:
    """Says one line a round."""

    def __init__(self, say: Callable[[str], None] = _to_stderr) -> None:
        """Say it with `say`."""
        self._say = say

    def start(self, plan: "RunPlan", folder: Path) -> None:
        """Say what begins."""
        self.begin(plan.rounds)
        chain = " + ".join(choice.name for choice in plan.schedulers) or "constant"
        self._say(
            f"{_count(len(plan.clients), 'client')}, {_count(plan.rounds, 'round')} of "
            f"{_local_training(plan)}, "
            f"{plan.strategy.name}, {chain}, {plan.policy.name}, seed {plan.seed}"
        )

    def begin(self, rounds: int) -> None:
        """Be ready to tell of `rounds` rounds that others carry out."""
        self._rounds = rounds

    def round(self, record: "RoundRecord", history: "History") -> None:
        """Say how a round went."""
        parts = [f"round {record.round:>3}/{self._rounds}"]
        loss = record.mean_client("policy_loss")
        if loss is not None:
            parts.append(f"client loss {loss:.4f}")
        if record.policy_loss is not None:
            parts.append(f"server loss {record.policy_loss:.4f}")
        if record.success_rate is not None:
            parts.append(f"success {record.success_rate:.0%}{_interval(record)}")
        if record.lr is not None:
            parts.append(f"lr {record.lr:.1e}")
        spent = [entry.epsilon for entry in record.clients if entry.epsilon is not None]
        if spent:
            parts.append(f"epsilon {max(spent):.2f}")
        parts.append(f"{record.seconds:.1f} s")
        if not record.counted:
            parts.append("did not count: too few usable updates")
        self._say("  ".join(parts))
        for refusal in record.refused:
            self._say(f"  refused {refusal}")
        before = history.rounds[-2].quarantined if len(history.rounds) > 1 else ()
        for client in sorted(set(record.quarantined) - set(before)):
            self._say(f"  {client} is not asked any more: too many of its updates were refused")

    def finish(self, history: "History") -> None:
        """Count what went wrong on the way."""
        lost = [refusal for record in history.rounds for refusal in record.refused]
        for failed, what in ((False, "refused"), (True, "not sent")):
            these = [refusal for refusal in lost if refusal.failed == failed]
            if these:
                clients = ", ".join(sorted({refusal.client for refusal in these}))
                updates = f"{_count(len(these), 'update')} {'was' if len(these) == 1 else 'were'}"
                self._say(f"{updates} {what}, from {clients}; see history.jsonl")
        for sentence in outliers(history):
            self._say(f"stands out: {sentence}")


def _local_training(plan: "RunPlan") -> str:
    if plan.local_epochs is None:
        return _count(plan.local_steps, "step")
    return _count(plan.local_epochs, "epoch")


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"


def _interval(record: "RoundRecord") -> str:
    intervals = [
        entry["success_interval"] for entry in record.datasets if "success_interval" in entry
    ]
    if len(intervals) != 1:
        return ""
    low, high = intervals[0]
    return f" [{low:.0%}, {high:.0%}]"


def build(options: NoOptions) -> ConsoleReporter:
    """Return the reporter."""
    return ConsoleReporter()


PLUGIN = ReporterPlugin(name="console", summary="One line a round", build=build)
