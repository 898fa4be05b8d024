"""The rounds of a federated run: send the model out, combine what comes back, score it."""

import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import attrs
from flwr.app import RecordDict
from loguru import logger

from zk0_core.errors import RoundError, WireError
from zk0_core.history import ClientRecord, History, Refusal, RoundRecord
from zk0_core.personal import personal_patterns, split
from zk0_core.plan import RunPlan
from zk0_core.protocols import Codec, Strategy
from zk0_core.schedules import Schedules
from zk0_core.server.admission import Asked, open_reply
from zk0_core.server.comparison import Comparison
from zk0_core.server.envelope import most_bytes
from zk0_core.server.exchange import ClientFailed, Exchange, Reply
from zk0_core.server.kept import kept
from zk0_core.server.preflight import Roster
from zk0_core.server.quarantine import outside, quarantined
from zk0_core.server.result import fitting
from zk0_core.server.sampling import sample_clients
from zk0_core.span import Span
from zk0_core.tensors import Tensors, norm
from zk0_core.transforms import server_transforms, transformed
from zk0_core.wire.orders import MOST_STEPS, TRAIN, RoundOrder
from zk0_core.wire.packing import bytes_in, one_line, pack, pack_each, to_record

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

    def asked(self, order: RoundOrder, params: Tensors) -> Asked:
        """Return what the answer to `order` must fit, `params` being those that are exchanged."""
        return Asked(order, params, self.codec, self.roster.frames[order.client])


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
    quarantine = quarantined(history, plan.quarantine_after)
    available = outside(federation.roster.names, quarantine)
    clients = sample_clients(available, plan.fraction, plan.seed, round)
    common = federation.schedules.lr(round, history)
    orders = {c: make_order(federation, round, c, history, common) for c in clients}

    shared, personal = split(params, personal_patterns(plan.strategy))
    strategy.begin(shared, round)
    contents = pack_orders(federation, orders, shared)
    sent = {client: bytes_in(content) for client, content in contents.items()}
    comparison = Comparison(plan.seed)
    accepted: list[ClientRecord] = []
    refused = list(federation.roster.refused)
    limit = most_bytes(shared, plan.max_update_mb)
    for reply in federation.exchange.ask(TRAIN, contents, federation.roster.nodes, limit):
        asked = federation.asked(orders[reply.client], shared)
        try:
            accepted.append(fold_in(federation, reply, asked, comparison, sent[reply.client]))
        except WireError as problem:
            # It may quote what was sent, which may be long, or lines of a log.
            reason = one_line(str(problem))
            logger.warning("round {}: {} refused: {}", round, reply.client, reason)
            refused.append(Refusal(reply.client, reason, isinstance(problem, ClientFailed)))
        del reply  # or it would stay in memory beside the next one

    steps = max(order.local_steps for order in orders.values())
    counted = len(accepted) >= plan.min_updates
    if counted:
        params = fitting(strategy.finish(), shared, plan.strategy) | personal
    cosines = comparison.cosines()
    record = RoundRecord(
        round=round,
        clients=tuple(attrs.evolve(each, cosine=cosines[each.client]) for each in accepted),
        refused=tuple(refused),
        quarantined=quarantine,
        counted=counted,
        lr=common.at(steps - 1, steps),
        mu=federation.schedules.mu(round, history).at(steps - 1, steps),
        bytes_up=sum(client.bytes_up for client in accepted),
        bytes_down=sum(sent.values()),
        seconds=time.perf_counter() - started,
    )
    stop_when_lost(history.with_round(record), plan.min_updates)
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
        # A client that claims more frames than there are must not end the others' run.
        local_steps=min(federation.plan.steps_of(federation.roster.frames[client]), MOST_STEPS),
        lr=lr,
        mu=federation.schedules.mu(round, history, client),
        boost=lr.start / common.start if common.start else 1.0,
        accepted_round=history.accepted_round(client),
        # Not derived from the seed: a round that is run again has other orders than the first time.
        nonce=secrets.token_hex(16),
    )


def pack_orders(
    federation: Federation, orders: Mapping[str, RoundOrder], params: Tensors
) -> dict[str, RecordDict]:
    """Return what each client is sent: its order, `params`, and what the strategy adds for it."""
    broadcast = pack(federation.broadcast.encode(params))
    extras = pack_each({client: federation.strategy.order(client) for client in orders})
    return {
        client: to_record(order, params=broadcast, extra=extras[client])
        for client, order in orders.items()
    }


def fold_in(
    federation: Federation, reply: Reply, asked: Asked, comparison: Comparison, bytes_down: int
) -> ClientRecord:
    """Give a reply's update to the strategy.

    Args:
        federation: Whose strategy.
        reply: One client's answer.
        asked: What it must fit.
        comparison: Where it is compared with the others'.
        bytes_down: What the client was sent.

    Returns:
        What goes into the history of this client.

    Raises:
        WireError: with the reason why the update does not count.
    """
    report, update = open_reply(reply, asked)
    delta = dict(update.delta)
    clipped = transformed(delta, server_transforms(federation.plan.strategy))
    update = attrs.evolve(update, delta=clipped)
    federation.strategy.add(kept(update, federation.keep) if federation.keep else update)
    comparison.add(reply.client, delta, update.examples)
    fields = attrs.asdict(report)
    del fields["run"], fields["round"], fields["nonce"]
    assert reply.record is not None
    return ClientRecord(
        **fields,
        lr_span=attrs.astuple(asked.order.lr),
        boost=asked.order.boost,
        update_norm=norm(delta),
        bytes_up=bytes_in(reply.record),
        bytes_down=bytes_down,
    )


def stop_when_lost(history: History, needed: int) -> None:
    """Raise RoundError when the last MAX_LOST_ROUNDS rounds did not count, for want of updates."""
    last = history.rounds[-MAX_LOST_ROUNDS:]
    if len(last) == MAX_LOST_ROUNDS and not any(record.counted for record in last):
        end = last[-1]
        reasons = list(map(str, end.refused))
        reasons += [f"{client} is not asked any more" for client in end.quarantined]
        raise RoundError(
            f"{MAX_LOST_ROUNDS} rounds in a row had too few usable updates (round {end.round} had "
            f"{'; '.join([f'{len(end.clients)} of the {needed} that it needs', *reasons])})"
        )
