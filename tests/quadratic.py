"""Federations of a tiny torch module: real orders, sessions, training and rounds, without a robot.

Every client has a quadratic: ½ Σ_i a_i · ((body_i − b_i)² + (head_i − b_i)²).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from flwr.app import Error, Message, RecordDict
from safetensors.numpy import load_file

from zk0_core import parts
from zk0_core.engines import apps
from zk0_core.engines._flower import client_context, stamp
from zk0_core.engines.grid import FIRST_NODE, OneRunGrid
from zk0_core.history import History, RoundRecord
from zk0_core.parts import (
    build_broadcast_codec,
    build_codec,
    build_strategy,
    strategy_record,
)
from zk0_core.plan import ClientPlan, PluginChoice
from zk0_core.plugins import Plugin
from zk0_core.records import DatasetLoaderPlugin, PolicyPlugin
from zk0_core.registry import Registry
from zk0_core.schedules import Schedules
from zk0_core.server.exchange import Exchange
from zk0_core.server.preflight import Roster, call_roll
from zk0_core.server.rounds import Federation, run_round
from zk0_core.tensors import Tensors
from zk0_core.testing import examples
from zk0_core.wire.orders import RoundReport, order_of_round_0
from zk0_core.wire.packing import from_record, header_type, pack, tensors_from, to_record

Tamper = Callable[[int, RoundReport, Tensors], tuple[RoundReport, Tensors]]
Forge = Callable[[RecordDict], RecordDict | Error]


@attrs.frozen(eq=False)
class Quadratic:
    """One client's problem, D values."""

    curvature: Sequence[float]
    target: Sequence[float]
    examples: int = 8

    def loss(self, params: Mapping[str, np.ndarray]) -> float:
        away = [params[name] - np.array(self.target) for name in ("body.w", "head.w")]
        return float(sum((np.array(self.curvature) * each**2).sum() for each in away) / 2)


class QuadraticPolicy:
    def __init__(self, dimensions: int) -> None:
        self.module = torch.nn.ModuleDict(
            {name: torch.nn.ParameterDict({"w": torch.zeros(dimensions)}) for name in PARTS}
        )

    def trainable(self) -> dict[str, Any]:
        return dict(self.module.named_parameters())

    def frozen_fingerprint(self) -> str:
        return "none"

    def check(self, schema: object, who: str) -> None:
        pass

    def source(self, dataset: Any, episodes: object, progress: object = None) -> "QuadraticSource":
        return QuadraticSource(dataset.problem)

    def loss(self, batch: Quadratic, generator: torch.Generator) -> torch.Tensor:
        curvature, target = torch.tensor(batch.curvature), torch.tensor(batch.target)
        away = [param - target for param in self.module.parameters()]
        return sum((curvature * each**2).sum() for each in away) / 2


PARTS = ("body", "head")


@attrs.frozen
class QuadraticSource:
    problem: Quadratic

    def __len__(self) -> int:
        return self.problem.examples

    def batch(self, indices: Sequence[int]) -> Quadratic:
        return self.problem


@attrs.frozen
class QuadraticDataset(examples.TinyDataset):
    problem: Quadratic = attrs.field(kw_only=True)


class SameProcessGrid(OneRunGrid):
    """Clients in this process; `tamper` and `forge` may change what one sends, by name."""

    def __init__(self, clients: Sequence[ClientPlan], folder: Path) -> None:
        super().__init__(len(clients))
        self.tamper: dict[str, Tamper] = {}
        self.forge: dict[str, Forge] = {}
        self.arrival: Sequence[str] = [client.name for client in clients]
        self.sent: list[Message] = []
        """The messages of the last push."""
        self._waiting: dict[str, Message] = {}
        self._clients, self._folder = clients, folder

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        self.sent = list(messages)
        self._waiting = {stamp(message): message for message in self.sent}
        self._turns = [
            client.name
            for client in sorted(self._clients, key=lambda c: self.arrival.index(c.name))
            if any(self._client(message) is client for message in self.sent)
        ]
        return list(self._waiting)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Answer the message whose turn it is, if it is among those asked for."""
        for message_id in message_ids:
            if self._client(self._waiting[message_id]).name == self._turns[0]:
                self._turns.pop(0)
                return [self._answer(self._waiting.pop(message_id))]
        return []

    def _client(self, message: Message) -> ClientPlan:
        return self._clients[message.metadata.dst_node_id - FIRST_NODE]

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        app = apps.client_app(dict(enumerate(self._clients)), self._folder)
        reply = app(message=message, context=client_context(node, node - FIRST_NODE))
        client = self._client(message).name
        if client in self.tamper and header_type(reply.content) == "RoundReport":
            reply = Message(_tampered(reply.content, self.tamper[client]), reply_to=message)
        if client in self.forge and header_type(message.content) == "RoundOrder":
            reply = Message(self.forge[client](reply.content), reply_to=message)
        return reply


def _tampered(content: RecordDict, tamper: Tamper) -> RecordDict:
    report = from_record(content, RoundReport)
    report, update = tamper(report.round, report, tensors_from(content, "update", report.client))
    extra = tensors_from(content, "extra", report.client)
    return to_record(report, update=pack(update), extra=pack(extra))


class Clients:
    """A federation to run rounds with."""

    def __init__(
        self,
        problems: Mapping[str, Quadratic],
        folder: Path,
        strategy: str,
        options: Mapping[str, Any],
        **plan: Any,
    ) -> None:
        self.problems = problems
        self.folder = folder
        record = strategy_record(PluginChoice("strategy", strategy, options))
        clients = tuple(ClientPlan(name, f"quadratic:{name}") for name in sorted(problems))
        self.plan = examples.plan(
            **{
                "policy": PluginChoice("policy", "quadratic"),
                "strategy": PluginChoice("strategy", strategy, options),
                "clients": clients,
                "lr": 0.05,
                "local_steps": 5,
                **plan,
            }
        )
        self.grid = SameProcessGrid(self.plan.clients, folder)
        exchange = Exchange(self.grid, folder / "spool")
        roster: Roster = call_roll(exchange, apps.recipe_of(self.plan), len(clients))
        self.strategy = build_strategy(self.plan.strategy)
        self.history = History()
        dimensions = len(next(iter(problems.values())).target)
        self.params: Tensors = {f"{part}.w": np.zeros(dimensions, np.float32) for part in PARTS}
        self.federation = Federation(
            plan=self.plan,
            exchange=exchange,
            roster=roster,
            strategy=self.strategy,
            schedules=Schedules(self.plan, (), ()),
            codec=build_codec(self.plan.codec),
            broadcast=build_broadcast_codec(self.plan.codec),
            template=order_of_round_0(
                self.plan,
                run="test",
                recipe=apps.recipe_of(self.plan),
                statistics={},
                frozen="none",
                start_loss=record.wants_start_loss,
            ),
            keep=folder / "kept" if record.sees_all_updates else None,
        )

    def round(self) -> RoundRecord:
        """Run the next round."""
        number = len(self.history.rounds) + 1
        self.params, record = run_round(self.federation, number, self.params, self.history)
        self.history = self.history.with_round(record)
        return record

    def state(self, client: str, round: int) -> Tensors:
        """Return what `client` kept of `round`, refused or not."""
        return load_file(self.folder / "clients" / client / "state" / f"round_{round}.safetensors")

    def loss(self) -> float:
        """Return the mean loss of all clients, weighted by examples."""
        weights = [problem.examples for problem in self.problems.values()]
        losses = [problem.loss(self.params) for problem in self.problems.values()]
        return float(np.average(losses, weights=weights))


Federate = Callable[..., Clients]


@pytest.fixture
def federate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Federate:
    """Make federations, from problems, a strategy, its options and fields of the plan."""
    made: list[Clients] = []

    def federate(
        problems: Mapping[str, Quadratic],
        strategy: str,
        options: Mapping[str, Any] | None = None,
        **plan: Any,
    ) -> Clients:
        apps.forget_sessions()
        registry = _registry(problems)
        monkeypatch.setattr(parts, "installed", lambda: registry)
        made.append(Clients(problems, tmp_path / str(len(made)), strategy, options or {}, **plan))
        return made[-1]

    return federate


@pytest.fixture
def quadratic() -> type[Quadratic]:
    """Give tests the problem of one client."""
    return Quadratic


def _registry(problems: Mapping[str, Quadratic]) -> Registry:
    class Loader:
        def open(self, uri: str, progress: object = None) -> QuadraticDataset:
            problem = problems[uri.partition(":")[2]]
            fields = attrs.asdict(examples.dataset(held_out=0), recurse=False)
            return QuadraticDataset(**{**fields, "uri": uri}, problem=problem)

    class Family:
        default_lr, default_batch_size = 0.05, 4

        def load(self, schema: object, statistics: object, **named: object) -> QuadraticPolicy:
            return QuadraticPolicy(len(next(iter(problems.values())).target))

    records = [
        ("loader", DatasetLoaderPlugin(name="quadratic", summary="", build=lambda o: Loader())),
        ("policy", PolicyPlugin(name="quadratic", summary="", build=lambda o: Family())),
    ]
    own = [
        Plugin(
            kind=kind,
            name="quadratic",
            status="ok",
            distribution="tests",
            version="1",
            entry_point="tests",
            record=record,
        )
        for kind, record in records
    ]
    return Registry([*Registry.discover().plugins, *own])
