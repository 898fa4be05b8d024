"""The server of a run: preflight, rounds, evaluation and records, over any Grid."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
from flwr.serverapp import Grid
from loguru import logger

from zk0_core.disk import require_room, round_bytes
from zk0_core.engines.workers import Workers
from zk0_core.errors import RoundError, UsageError
from zk0_core.history import RoundRecord
from zk0_core.parts import (
    build_broadcast_codec,
    build_codec,
    build_reporter,
    build_strategy,
    strategy_record,
)
from zk0_core.personal import check_personal, personal_patterns
from zk0_core.plan import RunPlan
from zk0_core.protocols import Reporter
from zk0_core.schedules import Schedules
from zk0_core.server.budget import RoundBudget, planned_budget
from zk0_core.server.checkpoint import Checkpoint
from zk0_core.server.evaluation import Diverged, after_divergence, score_model
from zk0_core.server.exchange import Exchange
from zk0_core.server.gathering import Gathering
from zk0_core.server.model import ModelRef, Start, save_model, write_params
from zk0_core.server.output import RunFolder
from zk0_core.server.preflight import Roster
from zk0_core.server.rounds import Federation, run_round
from zk0_core.tensors import Tensors
from zk0_core.wire.orders import order_of_round_0


class Server:
    """Runs a plan; `history` is what happened."""

    budget: RoundBudget
    """Bytes of a round; known after preflight."""

    def __init__(
        self,
        plan: RunPlan,
        folder: RunFolder,
        workers: Workers,
        checkpoint: Checkpoint | None = None,
        exchange: Callable[[Grid, Path], Exchange] = Exchange,
        begin_with: Tensors | None = None,
    ) -> None:
        """Prepare to run `plan` from the start, or to go on from `checkpoint`.

        `exchange` makes, of a Grid and a folder for what waits, how clients are asked. `begin_with`
        are parameters to start with in place of the policy's own.
        """
        self.plan = plan
        self._exchange = exchange
        self._begin_with = begin_with
        self.workers = workers
        self.history = folder.back_to(checkpoint.round if checkpoint else -1)
        self._folder = folder
        self._checkpoint = checkpoint
        self._params_file = folder.path / "spool" / "params.safetensors"

    def run(self, grid: Grid) -> None:
        """Run all rounds over `grid`, or those that are left."""
        reporters = [build_reporter(choice) for choice in self.plan.reporters]
        for reporter in reporters:
            reporter.start(self.plan, self._folder.path)
        exchange = self._exchange(grid, self._folder.path / "spool")
        gathering = Gathering(self.plan, exchange, self.workers, self._folder.path / "start")
        roster, model, start = self._preflight(gathering)
        count = len(roster.names)
        self.budget = self.workers.submit(0, planned_budget, model, self.plan, count).result()
        logger.bind(shown=True).info("{}", self.budget)
        federation = self._federation(exchange, roster, model, start)

        if self._checkpoint is None:
            params = self._beginning(start)
            begun = RoundRecord(round=0, refused=roster.refused)
            self._close_round(begun, params, federation, model, reporters)
        else:
            params = self._checkpoint.params
            federation.strategy.restore(self._checkpoint.strategy)
            # Round 0 is recorded already: who cannot take part is asked again, for the next record.
            federation = attrs.evolve(federation, roster=attrs.evolve(roster, unfit={}))
        for round in range(len(self.history.rounds), self.plan.rounds + 1):
            roster = gathering.present(federation.roster, model)
            federation = attrs.evolve(federation, roster=roster)
            self._require_room(f"round {round}", params, len(roster.names))
            params, record = run_round(federation, round, params, self.history)
            self._close_round(record, params, federation, model, reporters)

        final = self._ref(model, params)
        self.workers.submit(0, save_model, final, self._folder.model(None)).result()
        for reporter in reporters:
            reporter.finish(self.history)

    def _preflight(self, gathering: Gathering) -> tuple[Roster, ModelRef, Start]:
        # A run that goes on has begun: whoever has left since is missed by nobody.
        least = gathering.exchange.patience.least if self._checkpoint is None else 1
        roster, model, start = gathering.begin(least)
        check_personal(start.params, personal_patterns(self.plan.strategy))
        logger.info("{} clients: {}", len(roster.names), ", ".join(roster.names))
        return roster, model, start

    def _beginning(self, start: Start) -> Tensors:
        """Return the parameters of round 0."""
        given = self._begin_with
        if given is None:
            return start.params
        if {n: t.shape for n, t in given.items()} != {n: t.shape for n, t in start.params.items()}:
            raise UsageError(
                "the model to start from has other parameters than the policy of the plan; choose "
                "the policy that it was trained with, or start afresh: zk0 server start --afresh"
            )
        return given

    def _federation(
        self, exchange: Exchange, roster: Roster, model: ModelRef, start: Start
    ) -> Federation:
        strategy = strategy_record(self.plan.strategy)
        return Federation(
            plan=self.plan,
            exchange=exchange,
            roster=roster,
            strategy=build_strategy(self.plan.strategy),
            schedules=Schedules.of(self.plan),
            codec=build_codec(self.plan.codec),
            broadcast=build_broadcast_codec(self.plan.codec),
            template=order_of_round_0(
                self.plan,
                run=self._folder.path.name,
                recipe=model.recipe,
                statistics=model.statistics,
                frozen=start.frozen,
                start_loss=strategy.wants_start_loss,
            ),
            keep=self._folder.path / "spool" / "kept" if strategy.sees_all_updates else None,
        )

    def _close_round(
        self,
        record: RoundRecord,
        params: Tensors,
        federation: Federation,
        model: ModelRef,
        reporters: Sequence[Reporter],
    ) -> None:
        """Evaluate when it is time, record, save, and tell the reporters."""
        started = time.perf_counter()
        round, last = record.round, record.round == self.plan.rounds
        ref = self._ref(model, params)
        record = attrs.evolve(record, params_hash=ref.params_hash)
        if last or (self.plan.eval_every and round % self.plan.eval_every == 0):
            folder = self._folder.path / "evaluate" / f"round_{round}"
            try:
                scores = score_model(self.plan, ref, round, folder, self.workers)
            except Diverged as problem:
                raise RoundError(after_divergence(problem, record)) from None
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
        self._require_room("a checkpoint", params, 0)
        self._folder.checkpoints.save(Checkpoint(round, params, federation.strategy.state()))
        for reporter in reporters:
            reporter.round(record, self.history)

    def _require_room(self, what: str, params: Tensors, clients: int) -> None:
        needed = round_bytes(params, clients, self._folder.last_model())
        require_room(self._folder.path, needed, what)

    def _ref(self, model: ModelRef, params: Tensors) -> ModelRef:
        """Return the model with `params`, written where the workers find them."""
        path: Path = self._params_file
        return attrs.evolve(model, params=path, params_hash=write_params(path, params))
