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
    from flwr.app import RecordDict

    from zk0_core.tensors import Tensors
    from zk0_core.wire.orders import RoundOrder

MOST_EXAMPLES = 2**20
"""How many frames each client says that it has."""


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
    from flwr.app import Message, RecordDict

    from zk0_core.engines._flower import stamp
    from zk0_core.engines.grid import FIRST_NODE, OneRunGrid
    from zk0_core.wire.groups import config_groups

    names = sorted(answers)
    waiting = list(arrival)

    class LoopbackGrid(OneRunGrid):
        """Clients in order of their names."""

        def __init__(self) -> None:
            super().__init__(len(names))
            self._sent: dict[str, Message] = {}

        def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
            pushed = {stamp(message): message for message in messages}
            for message in pushed.values():
                # The order is all that is answered: no parameters stay, as none do over a network.
                header = config_groups(message.content)["header"]
                message.content = RecordDict({"header": header})
            self._sent |= pushed
            return list(pushed)

        def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
            replies = []
            for message_id in message_ids:
                message = self._sent[message_id]
                name = names[message.metadata.dst_node_id - FIRST_NODE]
                if name != waiting[0]:
                    continue
                waiting.pop(0)
                replies.append(Message(_reply(message.content, answers[name]), reply_to=message))
            return replies

    return LoopbackGrid()


def _reply(content: "RecordDict", answer: Answer) -> "RecordDict":
    """Return the record that a client sends for the order in `content`."""
    from zk0_core.parts import build_codec
    from zk0_core.wire.orders import RoundOrder, RoundReport
    from zk0_core.wire.packing import from_record, pack, to_record

    order = from_record(content, RoundOrder)
    report = RoundReport(
        run=order.run,
        round=order.round,
        client=order.client,
        nonce=order.nonce,
        dataset="tiny:",
        examples=answer.examples,
        steps=order.local_steps,
        policy_loss=0.5,
        prox_loss=0.0,
        loss=0.5,
        grad_norm=1.0,
        lr=order.lr.start,
        mu=order.mu.start,
        seconds=1.0,
        seconds_data=0.5,
        seconds_compute=0.5,
        start_loss=1.0 if order.start_loss else None,
    )
    update = build_codec(order.recipe.codec).encode(answer.delta)
    return to_record(report, update=pack(update), extra=pack(answer.extra))


def _federation(
    exchange: Any, strategy: Strategy, choice: PluginChoice, answers: Mapping[str, Answer]
) -> Any:
    from zk0_core.engines.grid import FIRST_NODE
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.parts import build_broadcast_codec, build_codec
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
            frames=MOST_EXAMPLES,
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
        broadcast=build_broadcast_codec(plan.codec),
        template=round_order(choice),
    )


def round_order(choice: PluginChoice, *, mu: float = 0.0, start_loss: bool = False) -> "RoundOrder":
    """Return the order of round 0 for a strategy, from which every order is made."""
    from zk0_core.engines.apps import recipe_of
    from zk0_core.lerobot.stats import episode_sums
    from zk0_core.span import Span
    from zk0_core.wire.orders import order_of_round_0

    plan = examples.plan(strategy=choice)
    dataset = examples.dataset()
    order = order_of_round_0(
        plan,
        run="contract",
        recipe=recipe_of(plan),
        statistics=episode_sums(dataset, dataset.episodes),
        frozen="",
        start_loss=start_loss,
    )
    return attrs.evolve(order, mu=Span.constant(mu))
