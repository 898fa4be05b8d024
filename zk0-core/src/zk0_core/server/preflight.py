"""Before the first round: who is there, what data they have, and whether it fits."""

import functools
import time
from collections.abc import Mapping, Sequence

import attrs
from loguru import logger

from zk0_core.client_names import NAME, RESERVED
from zk0_core.data import Statistics
from zk0_core.datacheck.differences import Side, differences
from zk0_core.datacheck.findings import require_fit
from zk0_core.datacheck.ranges import range_findings
from zk0_core.errors import DataError, RoundError, WireError, Zk0Error
from zk0_core.history import Refusal
from zk0_core.lerobot.stats import pool
from zk0_core.server.claims import check_claims
from zk0_core.server.exchange import Exchange, Reply
from zk0_core.wire.orders import MOST_TEXT, QUERY_SCHEMA, ClientError, Recipe, SchemaReport
from zk0_core.wire.packing import from_record, header_type, one_line, to_record


@attrs.frozen
class Roster:
    """The clients that are there, in order of name."""

    reports: tuple[SchemaReport, ...]
    nodes: dict[str, int]
    """Client name to its node."""
    unfit: dict[int, Refusal] = attrs.field(factory=dict)
    """Nodes that are connected and cannot take part, and why."""
    refused: tuple[Refusal, ...] = ()
    """Of these nodes, and of those that gave no answer, the ones that were asked last."""

    @property
    def names(self) -> list[str]:
        """The clients' names, in order."""
        return [report.client for report in self.reports]

    @functools.cached_property
    def frames(self) -> Mapping[str, int]:
        """How many frames each client said that it trains on, by name."""
        return {report.client: report.frames for report in self.reports}

    def without(self, client: str, why: str) -> "Roster":
        """Return the roster without `client`, which cannot take part."""
        refusal = Refusal(client, one_line(why), failed=True)
        return Roster(
            tuple(report for report in self.reports if report.client != client),
            {name: node for name, node in self.nodes.items() if name != client},
            {**self.unfit, self.nodes[client]: refusal},
            (*self.refused, refusal),
        )


def call_roll(
    exchange: Exchange, recipe: Recipe, expected: int, before: Roster | None = None
) -> Roster:
    """Ask every connected node for its schema and sums, once `expected` are there.

    Args:
        exchange: How nodes are asked.
        recipe: What they are to train.
        expected: How many are needed.
        before: Who was there before: they are not asked again, and those who left are left out.

    Raises:
        DataError: if a client's data cannot be used as asked; the text is the client's.
        RoundError: if a client failed, or not all are there.
    """
    deadline = time.monotonic() + exchange.patience.connect
    refused: dict[str, Refusal] = {}
    while True:
        roster, silent = _ask_newcomers(exchange, recipe, expected, before)
        refused |= {refusal.client: refusal for refusal in roster.refused}
        if roster.reports:
            still = (each for each in refused.values() if each.client not in roster.nodes)
            return attrs.evolve(roster, refused=tuple(still))
        if not silent or time.monotonic() > deadline:
            reasons = "; ".join([*map(str, roster.unfit.values()), *silent])
            raise RoundError(f"no client can take part: {reasons}")
        # Who has failed may come back; who cannot take part is not asked again.
        before = roster


def _ask_newcomers(
    exchange: Exchange, recipe: Recipe, expected: int, before: Roster | None
) -> tuple[Roster, list[str]]:
    """Return who is there, and why those did not answer that may do so another time."""
    there = exchange.nodes(expected)
    if len(there) < expected:
        raise RoundError(
            f"{len(there)} of {expected} clients are connected; start the others and try again"
        )
    by_name = {name: node for name, node in before.nodes.items() if node in there} if before else {}
    reports = [report for report in before.reports if report.client in by_name] if before else []
    unfit = {node: why for node, why in before.unfit.items() if node in there} if before else {}
    known = {*by_name.values(), *unfit}
    question = to_record(recipe)
    approved = exchange.approved_names()
    new = [node for node in there if node not in known]
    # Whoever left since has no name that was approved, and takes none of its own choice.
    gone = [node for node in new if approved is not None and node not in approved]
    nodes = {str(node): node for node in new if node not in gone}
    silent = [f"node {node} has left" for node in gone]
    refused = []
    for reply in exchange.ask(QUERY_SCHEMA, dict.fromkeys(nodes, question), nodes):
        node = nodes[reply.client]
        # In a simulation, which nobody has approved, it has none yet.
        name = None if approved is None else approved[node]
        try:
            report = _schema_report(reply)
            if name not in (None, report.client):
                raise DataError(
                    f"node {name!r} calls itself {report.client!r}; its operator enrolls it again "
                    "under the name that was approved"
                )
            if report.client in by_name:
                raise DataError(f"two clients are called {report.client!r}; names must differ")
        except Zk0Error as problem:
            if not exchange.patience.without:
                raise
            refusal = Refusal(name or f"node {node}", one_line(str(problem), MOST_TEXT), True)
            logger.warning("{} does not take part: {}", refusal.client, refusal.reason)
            refused.append(refusal)
            if reply.record is None:
                silent.append(str(refusal))
            else:
                unfit[node] = refusal
            continue
        by_name[report.client] = node
        reports.append(report)
    reports.sort(key=lambda report: report.client)
    return Roster(tuple(reports), by_name, unfit, tuple(refused)), silent


def _schema_report(reply: Reply) -> SchemaReport:
    """Return what a client says of its data.

    Raises:
        Zk0Error: if it says why it cannot, or nothing.
    """
    if reply.record is None:
        raise RoundError(f"before training, {reply.problem}")
    if header_type(reply.record) == ClientError.__name__:
        problem = from_record(reply.record, ClientError)
        raise (DataError if problem.usage else RoundError)(one_line(problem.reason, MOST_TEXT))
    report = from_record(reply.record, SchemaReport)
    if not NAME.fullmatch(report.client) or report.client.lower() in RESERVED:
        raise WireError(f"a client calls itself {report.client[:40]!r}, which is no file's name")
    check_claims(report)
    return report


def pooled_statistics(reports: Sequence[SchemaReport]) -> Statistics:
    """Return the statistics of all clients' data together, from their sums alone."""
    return pool([report.statistics for report in reports])


def check_alike(reports: Sequence[SchemaReport]) -> None:
    """Refuse clients whose data cannot train one policy, and warn of what only looks odd.

    Which cameras there must be is the policy's to say.

    Raises:
        UnfitDataset: naming both sides, and the rename map that would mend it where one would.
    """
    sides = [Side(f"client {r.client!r}", r.schema, r.statistics) for r in reports]
    findings = differences(sides, cameras=False)
    for side in sides:
        findings += range_findings(side.name, side.schema, side.statistics)
    require_fit(findings, logger.bind(shown=True).warning)
