"""Rounds without training: clients in this process that answer with given updates.

The server's side is the real one: exchange, admission, strategy, schedules.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from zk0_core.history import History, RoundRecord
from zk0_core.plan import ClientPlan, PluginChoice
from zk0_core.protocols import Strategy
from zk0_core.records import StrategyPlugin
from zk0_core.testing import examples
from zk0_core.testing.contract import folder

if TYPE_CHECKING:
    from flwr.app import Message, RecordDict
    from flwr.supercore.run import Run

    from zk0_core.tensors import Tensors
    from zk0_core.wire.orders import RoundOrder

FIRST_NODE = 100


@attrs.frozen
class Answer:
    """What a client sends back in a round."""

    examples: int
    delta: "Tensors"
    extra: "Tensors" = attrs.field(factory=dict)


@attrs.frozen
class Combined:
    """A round that is over."""

    params: "Tensors"
    record: RoundRecord


def run_one_round(
    strategy: Strategy,
    of: StrategyPlugin,
    params: "Tensors",
    answers: Mapping[str, Answer],
    *,
    choice: PluginChoice,
    arrival: Sequence[str] = (),
    number: int = 1,
) -> Combined:
    """Run one round on the server's side.

    Args:
        strategy: The server half.
        of: Its record, which says what it needs.
        params: The global parameters at the start.
        answers: Client name to what it sends.
        choice: What the plan says of the strategy.
        arrival: Order in which answers arrive; by default that of the names.
        number: The round's number, from 1.
    """
    from zk0_core.server.exchange import Exchange
    from zk0_core.server.rounds import run_round

    with folder() as spool:
        grid = loopback_grid(answers, arrival or sorted(answers))
        federation = attrs.evolve(
            _federation(Exchange(grid, spool), strategy, choice, answers),
            keep=spool / "kept" if of.sees_all_updates else None,
            template=round_order(choice, start_loss=of.wants_start_loss),
        )
        return Combined(*run_round(federation, number, params, History()))


def loopback_grid(answers: Mapping[str, Answer], arrival: Sequence[str]) -> Any:
    """Return a Flower Grid whose replies arrive in the order `arrival`, one a pull."""
    from flwr.serverapp import Grid

    from zk0_core.engines._flower import become_task, empty_run, stamp

    become_task()

    class LoopbackGrid(Grid):
        """Node FIRST_NODE + i is client i, by name."""

        def __init__(self) -> None:
            self._sent: dict[str, Message] = {}
            self._names = sorted(answers)
            self._arrival = list(arrival)

        def set_run(self, run: "Run") -> None:
            """Take the run that messages belong to; there is only one."""

        @property
        def run(self) -> "Run":
            return empty_run()

        def create_message(
            self,
            content: "RecordDict",
            message_type: str,
            dst_node_id: int,
            group_id: str,
            ttl: float | None = None,
        ) -> "Message":
            from flwr.app import Message

            return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

        def get_node_ids(self) -> Iterable[int]:
            return range(FIRST_NODE, FIRST_NODE + len(self._names))

        def push_messages(self, messages: "Iterable[Message]") -> Iterable[str]:
            ids = []
            for message in messages:
                ids.append(stamp(message))
                self._sent[ids[-1]] = message
            return ids

        def pull_messages(self, message_ids: Iterable[str]) -> "Iterable[Message]":
            from flwr.app import Message

            replies = []
            for message_id in message_ids:
                message = self._sent[message_id]
                name = self._names[message.metadata.dst_node_id - FIRST_NODE]
                if name != self._arrival[0]:
                    continue
                self._arrival.pop(0)
                replies.append(Message(_reply(message.content, answers[name]), reply_to=message))
            return replies

        def send_and_receive(
            self, messages: "Iterable[Message]", *, timeout: float | None = None
        ) -> "Iterable[Message]":
            raise NotImplementedError("the rounds pull replies one at a time")

    return LoopbackGrid()


def _reply(content: "RecordDict", answer: Answer) -> "RecordDict":
    """Return the record that a client sends for the order in `content`."""
    from zk0_core.parts import build_codec
    from zk0_core.tensors import norm
    from zk0_core.wire.orders import RoundOrder, RoundReport, from_record, pack, to_record

    order = from_record(content, RoundOrder)
    report = RoundReport(
        run=order.run,
        round=order.round,
        client=order.client,
        dataset="tiny:",
        examples=answer.examples,
        steps=order.local_steps,
        policy_loss=0.5,
        prox_loss=0.0,
        loss=0.5,
        grad_norm=1.0,
        lr=order.lr.start,
        mu=order.mu.start,
        # JSON has no NaN; the server looks at the values themselves.
        update_norm=_finite(norm(answer.delta)),
        seconds=1.0,
        seconds_data=0.5,
        seconds_compute=0.5,
        start_loss=1.0 if order.start_loss else None,
    )
    update = build_codec(order.recipe.codec).encode(answer.delta)
    return to_record(report, update=pack(update), extra=pack(answer.extra))


def _finite(value: float) -> float:
    return value if abs(value) < float("inf") else 0.0


def _federation(
    exchange: Any, strategy: Strategy, choice: PluginChoice, answers: Mapping[str, Answer]
) -> Any:
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.parts import build_codec
    from zk0_core.schedules import Schedules
    from zk0_core.server.preflight import Roster
    from zk0_core.server.rounds import Federation
    from zk0_core.wire.orders import SchemaReport

    names = sorted(answers)
    dataset = examples.dataset()
    statistics = episode_sums(dataset, dataset.episodes)
    plan = examples.plan(strategy=choice, clients=tuple(ClientPlan(n, "tiny:") for n in names))
    reports = tuple(
        SchemaReport(
            client=name,
            dataset="tiny:",
            schema=dataset.schema,
            statistics=statistics,
            episodes=tuple(dataset.episodes),
            frames=len(dataset.state),
        )
        for name in names
    )
    return Federation(
        plan=plan,
        exchange=exchange,
        roster=Roster(reports, {name: FIRST_NODE + i for i, name in enumerate(names)}),
        strategy=strategy,
        schedules=Schedules(plan, (), ()),
        codec=build_codec(plan.codec),
        template=round_order(choice),
    )


def round_order(choice: PluginChoice, *, mu: float = 0.0, start_loss: bool = False) -> "RoundOrder":
    """Return the order of round 0 for a strategy, from which every order is made."""
    from zk0_core.engines.apps import recipe_of
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.span import Span
    from zk0_core.wire.orders import RoundOrder

    plan = examples.plan(strategy=choice)
    dataset = examples.dataset()
    return RoundOrder(
        run="contract",
        round=0,
        client="",
        recipe=recipe_of(plan),
        statistics=episode_sums(dataset, dataset.episodes),
        frozen="",
        local_steps=plan.local_steps,
        lr=Span.constant(plan.lr),
        mu=Span.constant(mu),
        boost=1.0,
        accepted_round=0,
        start_loss=start_loss,
    )
