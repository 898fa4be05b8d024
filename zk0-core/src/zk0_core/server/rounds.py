"""The rounds of a federated run: send the model out, combine what comes back, score it."""

import time
from pathlib import Path

import attrs
from loguru import logger

from zk0_core.errors import RoundError, WireError
from zk0_core.history import ClientRecord, History, Refusal, RoundRecord
from zk0_core.personal import personal_patterns, split
from zk0_core.plan import RunPlan
from zk0_core.protocols import Codec, Strategy, Update
from zk0_core.schedules import Schedules
from zk0_core.server.admission import admit
from zk0_core.server.exchange import Exchange, Reply
from zk0_core.server.kept import kept
from zk0_core.server.preflight import Roster
from zk0_core.server.result import fitting
from zk0_core.server.sampling import sample_clients
from zk0_core.span import Span
from zk0_core.tensors import Tensors
from zk0_core.wire.orders import (
    TRAIN,
    ClientError,
    RoundOrder,
    RoundReport,
    bytes_in,
    from_record,
    header_type,
    pack,
    pack_each,
    tensors_from,
    to_record,
)

MAX_LOST_ROUNDS = 3
"""A run stops after so many rounds in a row that did not count."""


@attrs.frozen(kw_only=True)
class Federation:
    """What rounds are run with."""

    plan: RunPlan
    exchange: Exchange
    roster: Roster
    strategy: Strategy
    schedules: Schedules
    codec: Codec
    """Of updates."""
    broadcast: Codec
    """Of the parameters that are sent out."""
    template: RoundOrder
    """The order of round 0, from which every order is made."""
    keep: Path | None = None
    """Where a round's updates stay for a strategy that sees all at once; None when it streams."""


def run_round(
    federation: Federation, round: int, params: Tensors, history: History
) -> tuple[Tensors, RoundRecord]:
    """Run one round of training from the global parameters `params`.

    Returns:
        The new global parameters, and the record of the round, not evaluated yet. Without
        `min_updates` usable updates the round does not count and the parameters stay.
    """
    plan, strategy = federation.plan, federation.strategy
    started = time.perf_counter()
    clients = sample_clients(federation.roster.names, plan.fraction, plan.seed, round)
    common = federation.schedules.lr(round, history)
    orders = {c: make_order(federation, round, c, history, common) for c in clients}

    shared, personal = split(params, personal_patterns(plan.strategy))
    strategy.begin(shared, round)
    broadcast = pack(federation.broadcast.encode(shared))
    extras = pack_each({client: strategy.order(client) for client in clients})
    contents = {
        client: to_record(order, params=broadcast, extra=extras[client])
        for client, order in orders.items()
    }
    accepted: list[ClientRecord] = []
    refused: list[Refusal] = []
    for reply in federation.exchange.ask(TRAIN, contents, federation.roster.nodes):
        try:
            bytes_down = bytes_in(contents[reply.client])
            accepted.append(fold_in(federation, reply, orders[reply.client], bytes_down, shared))
        except WireError as problem:
            logger.warning("round {}: {} refused: {}", round, reply.client, problem)
            refused.append(Refusal(reply.client, str(problem)))
        del reply  # or it would stay in memory beside the next one

    counted = len(accepted) >= plan.min_updates
    if counted:
        params = fitting(strategy.finish(), shared, plan.strategy) | personal
    record = RoundRecord(
        round=round,
        clients=tuple(accepted),
        refused=tuple(refused),
        counted=counted,
        lr=common.at(plan.local_steps - 1, plan.local_steps),
        mu=federation.schedules.mu(round, history).at(plan.local_steps - 1, plan.local_steps),
        bytes_up=sum(client.bytes_up for client in accepted),
        bytes_down=sum(bytes_in(content) for content in contents.values()),
        seconds=time.perf_counter() - started,
    )
    stop_when_lost(history.with_round(record))
    return params, record


def make_order(
    federation: Federation, round: int, client: str, history: History, common: Span
) -> RoundOrder:
    """Return what `client` does in `round`; `common` is the lr without any client's boost."""
    lr = federation.schedules.lr(round, history, client)
    return attrs.evolve(
        federation.template,
        round=round,
        client=client,
        lr=lr,
        mu=federation.schedules.mu(round, history, client),
        boost=lr.start / common.start if common.start else 1.0,
        accepted_round=history.accepted_round(client),
    )


def fold_in(
    federation: Federation, reply: Reply, order: RoundOrder, bytes_down: int, params: Tensors
) -> ClientRecord:
    """Give a reply's update to the strategy.

    Args:
        federation: Whose strategy.
        reply: One client's answer.
        order: What it was asked for.
        bytes_down: What the client was sent.
        params: The global parameters that are exchanged.

    Returns:
        What goes into the history of this client.

    Raises:
        WireError: with the reason why the update does not count.
    """
    report, update = open_reply(reply, order, federation.codec, params)
    federation.strategy.add(kept(update, federation.keep) if federation.keep else update)
    return client_record(order, report, bytes_down, reply)


def open_reply(
    reply: Reply, order: RoundOrder, codec: Codec, params: Tensors
) -> tuple[RoundReport, Update]:
    """Return what a reply holds, once it is found usable.

    Raises:
        WireError: with the reason why it is not.
    """
    if reply.record is None:
        raise WireError(f"client failed: {reply.failure}")
    if header_type(reply.record) == ClientError.__name__:
        raise WireError(from_record(reply.record, ClientError).reason)
    report = from_record(reply.record, RoundReport)
    encoded = tensors_from(reply.record, "update", reply.client)
    extra = tensors_from(reply.record, "extra", reply.client)
    return report, admit(order, report, encoded, extra, codec, params)


def client_record(
    order: RoundOrder, report: RoundReport, bytes_down: int, reply: Reply
) -> ClientRecord:
    """Return what goes into the history of a client whose update counts."""
    fields = attrs.asdict(report)
    del fields["run"], fields["round"]
    assert reply.record is not None
    return ClientRecord(
        **fields,
        lr_span=attrs.astuple(order.lr),
        boost=order.boost,
        bytes_up=bytes_in(reply.record),
        bytes_down=bytes_down,
    )


def stop_when_lost(history: History) -> None:
    """Raise RoundError when the last MAX_LOST_ROUNDS rounds did not count."""
    last = history.rounds[-MAX_LOST_ROUNDS:]
    if len(last) == MAX_LOST_ROUNDS and not any(record.counted for record in last):
        reasons = "; ".join(f"{refusal.client}: {refusal.reason}" for refusal in last[-1].refused)
        raise RoundError(
            f"{MAX_LOST_ROUNDS} rounds in a row had too few usable updates "
            f"(round {last[-1].round}: {reasons})"
        )
