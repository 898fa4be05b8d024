"""Automatic sessions: when the next one begins, and from which model."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from loguru import logger

from zk0_core.engines._flower_control import KnownNode
from zk0_core.federation.records import RunEntry, ServerSettings
from zk0_core.federation.runs import Runs
from zk0_core.plan import RunPlan
from zk0_core.runfile import plan_from_json

AWAY_SECONDS = 600.0
"""A node that is away for so long has left. One that a stopped run tore from its work, or that was
started again, is back before."""


def begin_session(runs: Runs, settings: ServerSettings, nodes: Sequence[KnownNode]) -> None:
    """Submit a session when enough nodes are there, one of them since the last run ended.

    The first of a series waits for nobody to come.
    """
    entries = [entry for entry in runs.all() if entry.over]
    begun = any(entry.series == settings.series for entry in entries)
    if begun and not _has_somebody_come(runs, nodes, entries):
        return
    online = sum(node.online for node in nodes)
    if online < settings.min_clients:
        return
    plan = plan_from_json(settings.auto)
    before = _session_before(runs, settings.series, plan, entries)
    entry = runs.submit(
        plan,
        min_clients=settings.min_clients,
        round_seconds=settings.round_seconds,
        start_from=before.folder if before else "",
        series=settings.series,
    )
    start = f"with the model of {before.name}" if before else "afresh"
    logger.info("{} nodes are there: session {} starts {}", online, entry.name, start)


def _session_before(
    runs: Runs, series: int, plan: RunPlan, entries: Sequence[RunEntry]
) -> RunEntry | None:
    """Return the session whose model one of `plan` starts from; None to start afresh.

    However it ended, what its rounds accepted counts. Other policies' models do not fit, and what
    somebody trained by hand is no session's.
    """
    for entry in reversed(entries):
        if (
            entry.series == series
            and _has_checkpoint(entry)
            and _is_of_same_policy(runs.plan(entry.name), plan)
        ):
            return entry
    return None


def _has_checkpoint(entry: RunEntry) -> bool:
    from zk0_core.server.checkpoint import rounds_in

    return bool(rounds_in(Path(entry.folder) / "checkpoints"))


def _is_of_same_policy(one: RunPlan, other: RunPlan) -> bool:
    return (one.policy.name, dict(one.policy.options)) == (
        other.policy.name,
        dict(other.policy.options),
    )


def _has_somebody_come(runs: Runs, nodes: Sequence[KnownNode], entries: Sequence[RunEntry]) -> bool:
    """Whether a node is online that was not there when the last run ended, or has left since.

    That it connected since tells nothing: who is training when a run is stopped connects anew.
    """
    last = max(entries, key=lambda entry: time_of(entry.ended))
    here = {node.name for node in nodes if not has_left(node)}
    there = tuple(name for name in last.there if name in here)
    now = runs.find(last.name)
    # Unless somebody has queued it again meanwhile.
    if there != last.there and now.over:
        # Written down: when they are back, it is no longer to be seen that they had left.
        runs.change(now, there=there)
    return any(node.online and node.name not in there for node in nodes)


def has_left(node: KnownNode) -> bool:
    """Whether a node is away, and not for a moment only."""
    if node.online:
        return False
    return not node.seen or (datetime.now(UTC) - time_of(node.seen)).total_seconds() > AWAY_SECONDS


def time_of(text: str) -> datetime:
    """Return the time that ISO 8601 `text` says, of UTC where it names no zone."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
