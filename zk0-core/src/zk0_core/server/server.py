"""The server of a run: preflight, rounds, evaluation and records, over any Grid."""

import time
from collections.abc import Sequence
from pathlib import Path

import attrs
from flwr.serverapp import Grid
from loguru import logger

from zk0_core.engines.apps import recipe_of
from zk0_core.engines.workers import Workers
from zk0_core.history import History, RoundRecord
from zk0_core.parts import build_codec, build_reporter, build_strategy, reads_episodes
from zk0_core.plan import RunPlan
from zk0_core.protocols import Reporter
from zk0_core.schedules import Schedules
from zk0_core.server.evaluation import score_model
from zk0_core.server.exchange import Exchange
from zk0_core.server.model import (
    ModelRef,
    Start,
    check_overlap,
    save_model,
    start_model,
    write_params,
)
from zk0_core.server.output import RunFolder
from zk0_core.server.preflight import Roster, call_roll, check_alike, pooled_statistics
from zk0_core.server.rounds import Federation, run_round
from zk0_core.span import Span
from zk0_core.tensors import Tensors
from zk0_core.wire.orders import RoundOrder


class Server:
    """Runs a plan; `history` is what happened."""

    def __init__(self, plan: RunPlan, folder: RunFolder, workers: Workers) -> None:
        self.plan = plan
        self.workers = workers
        self.history = History()
        self._folder = folder
        self._params_file = folder.path / "spool" / "params.safetensors"

    def run(self, grid: Grid) -> None:
        """Run all rounds over `grid`."""
        reporters = [build_reporter(choice) for choice in self.plan.reporters]
        for reporter in reporters:
            reporter.start(self.plan, self._folder.path)
        exchange = Exchange(grid, self._folder.path / "spool")
        roster, model, start = self._preflight(exchange)
        federation = self._federation(exchange, roster, model, start)

        params = start.params
        final = self._close_round(RoundRecord(round=0), params, model, reporters)
        for round in range(1, self.plan.rounds + 1):
            params, record = run_round(federation, round, params, self.history)
            final = self._close_round(record, params, model, reporters)

        self.workers.submit(0, save_model, final, self._folder.model(None)).result()
        for reporter in reporters:
            reporter.finish(self.history)

    def _preflight(self, exchange: Exchange) -> tuple[Roster, ModelRef, Start]:
        roster = call_roll(exchange, recipe_of(self.plan), expected=len(self.plan.clients))
        check_alike(roster.reports)
        recorded = [
            evaluation.dataset
            for evaluation in self.plan.evaluations
            if reads_episodes(evaluation.evaluator)
        ]
        self.workers.submit(0, check_overlap, recorded, roster.reports).result()
        model = ModelRef(
            recipe=recipe_of(self.plan),
            schema=roster.reports[0].schema,
            statistics=pooled_statistics(roster.reports),
            params=None,
        )
        start = self.workers.submit(0, start_model, model, roster.reports).result()
        logger.info("{} clients: {}", len(roster.names), ", ".join(roster.names))
        return roster, model, start

    def _federation(
        self, exchange: Exchange, roster: Roster, model: ModelRef, start: Start
    ) -> Federation:
        return Federation(
            plan=self.plan,
            exchange=exchange,
            roster=roster,
            strategy=build_strategy(self.plan.strategy),
            schedules=Schedules.of(self.plan),
            codec=build_codec(self.plan.codec),
            template=RoundOrder(
                run=self._folder.path.name,
                round=0,
                client="",
                recipe=model.recipe,
                statistics=model.statistics,
                frozen=start.frozen,
                local_steps=self.plan.local_steps,
                lr=Span.constant(self.plan.lr),
                mu=Span.constant(0.0),
                boost=1.0,
                accepted_round=0,
            ),
        )

    def _close_round(
        self,
        record: RoundRecord,
        params: Tensors,
        model: ModelRef,
        reporters: Sequence[Reporter],
    ) -> ModelRef:
        """Evaluate when it is time, record, save, and tell the reporters.

        Returns:
            The model after the round.
        """
        started = time.perf_counter()
        round, last = record.round, record.round == self.plan.rounds
        ref = self._ref(model, params)
        record = attrs.evolve(record, params_hash=ref.params_hash)
        if last or round % self.plan.eval_every == 0:
            folder = self._folder.path / "evaluate" / f"round_{round}"
            scores = score_model(self.plan, ref, round, folder, self.workers)
            record = attrs.evolve(
                record,
                datasets=scores.datasets,
                policy_loss=scores.policy_loss,
                success_rate=scores.success_rate,
            )
        record = attrs.evolve(record, seconds=record.seconds + time.perf_counter() - started)
        self.history = self.history.with_round(record)
        self._folder.write_round(self.history, len(model.schema.action))
        if self.plan.checkpoint_every and round and round % self.plan.checkpoint_every == 0:
            self.workers.submit(0, save_model, ref, self._folder.model(round)).result()
        for reporter in reporters:
            reporter.round(record, self.history)
        return ref

    def _ref(self, model: ModelRef, params: Tensors) -> ModelRef:
        """Return the model with `params`, written where the workers find them."""
        path: Path = self._params_file
        return attrs.evolve(model, params=path, params_hash=write_params(path, params))
