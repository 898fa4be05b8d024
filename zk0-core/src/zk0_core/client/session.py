"""A client between rounds: its dataset, policy and caches, loaded once."""

import functools
import time
from pathlib import Path

import attrs
import torch
from loguru import logger

from zk0_core.cache import limit_caches
from zk0_core.client.optimizer import adamw, optimizer_state, restore_optimizer
from zk0_core.client.policies import policy_for
from zk0_core.client.privacy import Privacy
from zk0_core.client.state import ClientState
from zk0_core.client.trainer import loss_before, shuffled_batches, train_locally
from zk0_core.data import TRAINING, Progress, Statistics, training_episodes
from zk0_core.datacheck.findings import require_fit
from zk0_core.datacheck.inspection import inspect
from zk0_core.errors import DataError, WireError, Zk0Error
from zk0_core.lerobot.stats import episode_sums
from zk0_core.logs import ShownProgress
from zk0_core.parameters import set_params, to_numpy
from zk0_core.parts import (
    build_broadcast_codec,
    build_codec,
    build_objective,
    open_dataset,
)
from zk0_core.personal import personal_patterns, split
from zk0_core.plan import ClientPlan
from zk0_core.protocols import BatchSource, Policy, StatefulCodec
from zk0_core.seeds import derive_seed
from zk0_core.tensors import Tensors, difference, first_not_finite
from zk0_core.wire.orders import Recipe, RoundOrder, RoundReport, SchemaReport


class ClientSession:
    """What one client holds for as long as a run's recipe stays the same."""

    def __init__(self, client: ClientPlan, recipe: Recipe, folder: Path) -> None:
        torch.set_num_threads(recipe.threads)
        self.recipe = recipe
        self._client = client
        self._dataset = open_dataset(client.dataset, client.rename)
        self._episodes = training_episodes(self._dataset)
        if not self._episodes:
            raise DataError(
                f"{client.dataset} of client {client.name!r} has "
                f"{len(self._dataset.episodes)} episodes and {self._dataset.held_out} are held "
                "out: none is left to train on; lower eval_episodes"
            )
        self._codec = build_codec(recipe.codec)
        self._broadcast = build_broadcast_codec(recipe.codec)
        self._states = ClientState(folder)
        # Beside the states and not among them: what was spent is not given back.
        ledger = Path(client.ledger) if client.ledger else folder.parent / "privacy.json"
        self._privacy = Privacy(client, recipe.strategy, ledger, self._episodes)
        self._source: BatchSource | None = None

    def schema_report(self) -> SchemaReport:
        """Return what preflight asks for: schema and sums, no frame.

        Raises:
            UnfitDataset: if something is wrong with the dataset that would be in the way later.
        """
        inspection = inspect(self._dataset)
        require_fit(inspection.findings, logger.warning)
        assert inspection.statistics is not None  # there are episodes, and all are numbers
        return SchemaReport(
            client=self._client.name,
            dataset=self._client.told,
            schema=self._dataset.schema,
            statistics=inspection.statistics,
            episodes=tuple(self._episodes),
            frames=sum(episode.stop - episode.start for episode in self._episodes),
        )

    def train(
        self,
        order: RoundOrder,
        encoded: Tensors,
        extra: Tensors,
        progress: Progress | None = None,
    ) -> tuple[RoundReport, Tensors, Tensors]:
        """Train one round from the broadcast `encoded`.

        `progress` is told of what is made for the first round, and of every step as `TRAINING`.

        Returns:
            The report, the encoded update, and what the strategy's client half sends besides.

        Raises:
            Zk0Error: if the frozen weights differ from the server's, training diverged, or the
                client's privacy budget is spent.
        """
        started = time.perf_counter()
        self._privacy.check(order.run, order.round)
        loaded = policy_for(order.recipe, self._dataset.schema, self._statistics(order))
        policy, source = loaded.restored(), self._source_for(loaded.policy, order, progress)
        # Policies that draw from the global generator, as dropout does, stay reproducible too.
        torch.manual_seed(self._seed("policy", order))
        params = policy.trainable()
        shared, personal = split(params, personal_patterns(order.recipe.strategy))
        state = self._states.load(order.accepted_round)
        start = self._broadcast.decode(encoded, like=to_numpy(shared))
        set_params(shared, start)
        set_params(personal, group(state, "personal") or loaded.personal)

        optimizer = adamw(params)
        if order.recipe.optimizer_state == "keep":
            restore_optimizer(optimizer, params, group(state, "optimizer"))
        objective = build_objective(order.recipe.strategy)
        if objective:
            objective.restore(group(state, "objective"))
            objective.start(shared, extra)
        start_loss = self._start_loss(policy, source, order) if order.start_loss else None

        outcome = train_locally(
            policy,
            source,
            objective,
            optimizer,
            order,
            shuffled_batches(len(source), order.recipe.batch_size, self._seed("batches", order)),
            torch.Generator(order.recipe.device).manual_seed(self._seed("noise", order)),
            functools.partial(progress, TRAINING) if progress else None,
        )
        delta = difference(to_numpy(shared), start)
        if (bad := first_not_finite(delta)) is not None:
            raise Zk0Error(f"training diverged in round {order.round}: {bad} is not finite")
        sent_besides = objective.finish() if objective else {}
        self._privacy.check_extra(sent_besides, order.recipe.strategy.name)
        delta = self._privacy.apply(delta, order.run, order.round)
        update, remembered = self._encode(delta, group(state, "codec"))
        state = prefixed("optimizer", optimizer_state(optimizer, params))
        state |= prefixed("personal", to_numpy(personal)) | prefixed("codec", remembered)
        if objective:
            state |= prefixed("objective", objective.state())
        self._states.save(order.round, state, order.accepted_round)
        report = RoundReport(
            run=order.run,
            round=order.round,
            client=self._client.name,
            nonce=order.nonce,
            dataset=self._client.told,
            examples=len(source),
            steps=order.local_steps,
            loss=outcome.policy_loss + outcome.prox_loss,
            seconds=time.perf_counter() - started,
            start_loss=start_loss,
            epsilon=self._privacy.epsilon,
            **attrs.asdict(outcome),
        )
        logger.info("round {}: loss {:.4f}", order.round, report.loss)
        return report, update, sent_besides

    def _encode(self, delta: Tensors, remembered: Tensors) -> tuple[Tensors, Tensors]:
        """Return an update as sent, and what the codec remembers of it."""
        if not isinstance(self._codec, StatefulCodec):
            return self._codec.encode(delta), {}
        self._codec.restore(remembered)
        return self._codec.encode(delta), self._codec.state()

    def _source_for(
        self, policy: Policy, order: RoundOrder, progress: Progress | None
    ) -> BatchSource:
        """Return this client's examples for `policy`, made in its first round."""
        if self._source is None:
            policy.check(self._dataset.schema, f"client {self._client.name!r}")
            if (mine := policy.frozen_fingerprint()) != order.frozen:
                raise WireError(
                    f"frozen weights of client {self._client.name!r} differ from the server's "
                    f"({mine[:12]}… against {order.frozen[:12]}…); "
                    "both need the same policy files and zk0 version"
                )
            limit_caches(order.recipe.cache_bytes)
            episodes = [episode.index for episode in self._episodes]
            started = time.perf_counter()
            self._source = policy.source(self._dataset, episodes, ShownProgress(progress))
            logger.info("examples ready in {:.1f} s", time.perf_counter() - started)
        return self._source

    def _statistics(self, order: RoundOrder) -> Statistics:
        """Return what this client normalises with."""
        if order.recipe.normalization == "pooled":
            return order.statistics
        return self._own_statistics

    @functools.cached_property
    def _own_statistics(self) -> Statistics:
        return episode_sums(self._dataset, self._episodes)

    def _start_loss(self, policy: Policy, source: BatchSource, order: RoundOrder) -> float:
        """Return the loss before training, over the same frames and noise in every round."""
        recipe, client = order.recipe, self._client.name
        seed = derive_seed(recipe.seed, "start-loss batches", client=client)
        batches = shuffled_batches(len(source), recipe.batch_size, seed)
        seed = derive_seed(recipe.seed, "start-loss noise", client=client)
        noise = torch.Generator(recipe.device).manual_seed(seed)
        return loss_before(policy, source, batches, noise)

    def _seed(self, purpose: str, order: RoundOrder) -> int:
        return derive_seed(order.recipe.seed, purpose, client=self._client.name, round=order.round)


def prefixed(group_name: str, tensors: Tensors) -> Tensors:
    """Return `tensors` under names `group_name:NAME`."""
    return {f"{group_name}:{name}": array for name, array in tensors.items()}


def group(state: Tensors, group_name: str) -> Tensors:
    """Return the tensors that `prefixed` put under `group_name`."""
    start = f"{group_name}:"
    return {
        name.removeprefix(start): array for name, array in state.items() if name.startswith(start)
    }
