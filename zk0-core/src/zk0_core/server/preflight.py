"""Before the first round: who is there, what data they have, and whether it fits."""

from collections.abc import Sequence

import attrs
from loguru import logger

from zk0_core.data import Statistics
from zk0_core.datacheck.differences import Side, differences
from zk0_core.datacheck.findings import require_fit
from zk0_core.datacheck.ranges import range_findings
from zk0_core.errors import DataError, RoundError
from zk0_core.lerobot.stats import pool
from zk0_core.server.exchange import Exchange
from zk0_core.wire.orders import (
    QUERY_SCHEMA,
    ClientError,
    Recipe,
    SchemaReport,
    from_record,
    header_type,
    to_record,
)


@attrs.frozen
class Roster:
    """The clients that are there, in order of name."""

    reports: tuple[SchemaReport, ...]
    nodes: dict[str, int]
    """Client name to its node."""

    @property
    def names(self) -> list[str]:
        """The clients' names, in order."""
        return [report.client for report in self.reports]


def call_roll(exchange: Exchange, recipe: Recipe, expected: int) -> Roster:
    """Ask every connected node for its schema and sums, once `expected` are there.

    Raises:
        DataError: if a client's data cannot be used as asked; the text is the client's.
        RoundError: if a client failed, or not all are there.
    """
    nodes = {str(node): node for node in exchange.nodes(expected)}
    if len(nodes) < expected:
        raise RoundError(
            f"{len(nodes)} of {expected} clients are connected; start the others and try again"
        )
    question = to_record(recipe)
    reports: list[SchemaReport] = []
    by_name: dict[str, int] = {}
    for reply in exchange.ask(QUERY_SCHEMA, dict.fromkeys(nodes, question), nodes):
        if reply.record is None:
            raise RoundError(f"a client failed before training: {reply.failure}")
        if header_type(reply.record) == ClientError.__name__:
            problem = from_record(reply.record, ClientError)
            raise (DataError if problem.usage else RoundError)(problem.reason)
        report = from_record(reply.record, SchemaReport)
        if report.client in by_name:
            raise DataError(f"two clients are called {report.client!r}; names must differ")
        by_name[report.client] = nodes[reply.client]
        reports.append(report)
    reports.sort(key=lambda report: report.client)
    return Roster(tuple(reports), by_name)


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
