"""Who takes part in a run, and the model that they begin with.

In a simulation all clients have to fit: one person wrote them down. A federation goes on without
those whose data fit neither most of the others' nor the model, as long as enough are left.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

import attrs
from loguru import logger

from zk0_core.datacheck.differences import Side, differences
from zk0_core.datacheck.findings import UnfitDataset, require_fit
from zk0_core.datacheck.ranges import range_findings
from zk0_core.engines.apps import recipe_of
from zk0_core.engines.workers import Workers
from zk0_core.errors import DataError, RoundError, Zk0Error
from zk0_core.parts import reads_episodes
from zk0_core.plan import RunPlan
from zk0_core.server.exchange import Exchange
from zk0_core.server.model import ModelRef, Start, overlaps, read_facts, start_model, write_facts
from zk0_core.server.output import FACTS
from zk0_core.server.preflight import Roster, call_roll, check_alike, pooled_statistics
from zk0_core.wire.orders import SchemaReport


@attrs.frozen
class Gathering:
    """Brings the clients of a run together."""

    plan: RunPlan
    exchange: Exchange
    workers: Workers
    start: Path
    """Folder of what is decided about the model once and for all rounds."""

    def begin(self, least: int) -> tuple[Roster, ModelRef, Start]:
        """Return who is there before the first round, and what they begin with.

        Args:
            least: How many there have to be where others cannot take part.

        Raises:
            DataError: in a simulation, if a client's data don't fit; in any case if there is
                nothing to evaluate on.
            RoundError: if too few are there, or are left.
        """
        recipe = recipe_of(self.plan)
        roster = call_roll(self.exchange, recipe, expected=max(1, len(self.plan.clients)))
        decided = read_facts(self.start) if (self.start / FACTS).is_file() else None
        if self._federated:
            ours = _side_of(decided) if decided else _common(roster.reports)
            roster = _without(roster, unlike(ours, roster.reports))
            schema = ours.schema
        else:
            check_alike(roster.reports)
            schema = roster.reports[0].schema
        roster = self._fitting(roster, self._overlaps(roster.reports))
        while True:
            self._require(roster, least)
            model = decided or ModelRef(recipe, schema, pooled_statistics(roster.reports), None)
            model = attrs.evolve(model, recipe=recipe)
            start = self._try(model, roster.reports)
            if not start.unfit:
                break
            # Whoever takes no part has none in the statistics either.
            roster = self._fitting(roster, start.unfit)
        if decided is None:
            write_facts(model, self.start)
        return roster, model, start

    def present(self, before: Roster, model: ModelRef) -> Roster:
        """Return who takes part in the next round: newcomers that fit, and nobody who has left."""
        roster = call_roll(self.exchange, model.recipe, expected=1, before=before)
        for report in [each for each in roster.reports if each.client not in before.nodes]:
            unfit: Mapping[str, str]
            try:
                unfit = unlike(_side_of(model), [report]) or self._overlaps([report])
                unfit = unfit or self._try(model, [report]).unfit
            except Zk0Error as problem:
                # One who comes late must not end the run, whatever is wrong.
                unfit = {report.client: str(problem)}
            roster = _without(roster, unfit)
            if not unfit:
                logger.info("{} joins", report.client)
        for name in sorted(before.nodes.keys() - roster.nodes.keys()):
            logger.warning("{} has left", name)
        return roster

    @property
    def _federated(self) -> bool:
        return self.exchange.patience.without

    def _fitting(self, roster: Roster, unfit: Mapping[str, str]) -> Roster:
        """Return `roster` without the clients in `unfit`; a simulation has to have them all."""
        if unfit and not self._federated:
            raise DataError(next(iter(unfit.values())))
        return _without(roster, unfit)

    def _require(self, roster: Roster, least: int) -> None:
        """Raise RoundError if some cannot take part and fewer than `least` can."""
        there = len(roster.names)
        if roster.unfit and there < least:
            reasons = "; ".join(map(str, roster.unfit.values()))
            raise RoundError(
                f"{there} of the {least} clients that are needed can take part: {reasons}"
            )

    def _overlaps(self, reports: Sequence[SchemaReport]) -> dict[str, str]:
        recorded = [each for each in self.plan.evaluations if reads_episodes(each.evaluator)]
        return self.workers.submit(0, overlaps, recorded, reports).result()

    def _try(self, model: ModelRef, reports: Sequence[SchemaReport]) -> Start:
        return self.workers.submit(0, start_model, model, reports, self._federated).result()


def unlike(ours: Side, reports: Sequence[SchemaReport]) -> dict[str, str]:
    """Return which nodes' data cannot train one policy with `ours`, and why.

    What only looks odd is warned of.
    """
    unfit: dict[str, str] = {}
    for report in reports:
        side = Side(f"client {report.client!r}", report.schema, report.statistics, node=True)
        findings = differences([ours, side], cameras=False)
        findings += range_findings(side.name, side.schema, side.statistics)
        try:
            require_fit(findings, logger.bind(shown=True).warning)
        except UnfitDataset as problem:
            unfit[report.client] = str(problem)
    return unfit


def _without(roster: Roster, unfit: Mapping[str, str]) -> Roster:
    """Return `roster` without the clients in `unfit`, which says why."""
    for client, why in unfit.items():
        logger.warning("{} does not take part: {}", client, why)
        roster = roster.without(client, why)
    return roster


def _side_of(model: ModelRef) -> Side:
    return Side("the run's model", model.schema, model.statistics)


def _common(reports: Sequence[SchemaReport]) -> Side:
    """Return a client that is like most: in joints and rate, and among those in cameras.

    Where two kinds are as frequent, it is of that of the client whose name comes first.
    """
    alike = _most(reports, lambda r: (r.schema.state, r.schema.action, r.schema.fps))
    first = _most(alike, lambda r: tuple(sorted(r.schema.cameras)))[0]
    return Side(f"client {first.client!r}", first.schema, first.statistics)


def _most(
    reports: Sequence[SchemaReport], kind: Callable[[SchemaReport], Hashable]
) -> list[SchemaReport]:
    """Return the reports of the kind that is most frequent."""
    frequent = Counter(map(kind, reports)).most_common(1)[0][0]
    return [report for report in reports if kind(report) == frequent]
