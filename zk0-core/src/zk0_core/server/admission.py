"""Whether a client's update counts."""

import math
from collections.abc import Mapping

import attrs
import numpy as np

from zk0_core.errors import WireError
from zk0_core.protocols import Codec, Update
from zk0_core.server.exchange import ClientFailed, Reply
from zk0_core.tensors import Tensors
from zk0_core.wire.orders import ClientError, RoundOrder, RoundReport
from zk0_core.wire.packing import from_record, header_type, one_line, tensors_from

LARGEST = 1e18
"""No value of an update, and no figure of a report, may be larger: its square must still be finite
in float32, since strategies and schedules add up squares."""


@attrs.frozen
class Asked:
    """What a client was asked for, and what its answer must fit."""

    order: RoundOrder
    params: Tensors
    """The global parameters that are exchanged: names and shapes that an update must have."""
    codec: Codec
    """How the update is encoded."""
    frames: int
    """How many frames the client said that it trains on: its weight can be no larger."""


def open_reply(reply: Reply, asked: Asked) -> tuple[RoundReport, Update]:
    """Return what a reply holds, once it is found usable.

    Raises:
        ClientFailed: if there is no update in it, with the client's reason.
        WireError: if what is in it cannot be used, with the reason.
    """
    if reply.record is None:
        assert reply.problem is not None
        raise reply.problem
    if header_type(reply.record) == ClientError.__name__:
        reason = from_record(reply.record, ClientError).reason
        raise ClientFailed(one_line(reason))
    report = from_record(reply.record, RoundReport)
    # Before the tensors, which take time: a report of another order is of no use whatever they are.
    check_report(report, asked)
    encoded = tensors_from(reply.record, "update", reply.client)
    extra = tensors_from(reply.record, "extra", reply.client)
    return report, admit(report, encoded, extra, asked)


def check_report(report: RoundReport, asked: Asked) -> None:
    """Raise WireError unless `report` answers its order, with figures that can be."""
    order = asked.order
    for field in ("run", "round", "client"):
        if getattr(report, field) != getattr(order, field):
            raise WireError(
                f"report is for {field} {getattr(report, field)!r}, "
                f"the order was for {getattr(order, field)!r}"
            )
    if report.nonce != order.nonce:
        raise WireError(
            f"report answers another order of round {order.round}: its nonce is not this one's"
        )
    if report.steps != order.local_steps:
        raise WireError(f"report is of {report.steps} steps, the order was for {order.local_steps}")
    if report.examples <= 0:
        raise WireError(f"update counts {report.examples} examples; at least 1 is needed")
    if report.examples > asked.frames:
        raise WireError(
            f"update counts {report.examples} examples; the client said before training that it "
            f"has {asked.frames} frames"
        )
    loss = report.start_loss
    if order.start_loss and (loss is None or not math.isfinite(loss)):
        raise WireError(f"the loss before training, which the strategy needs, is {loss}")
    for field, value in attrs.asdict(report).items():
        if isinstance(value, float) and not abs(value) <= LARGEST:
            raise WireError(f"{field} is {value:g}; no figure may exceed {LARGEST:g}")


def admit(report: RoundReport, encoded: Tensors, extra: Tensors, asked: Asked) -> Update:
    """Return the decoded update.

    Args:
        report: What the client says it did.
        encoded: Its update, as sent, its hash already checked.
        extra: What the strategy's client half sent besides.
        asked: What it must fit.

    Raises:
        WireError: if it has a wrong name, shape or dtype, or a value that is not finite, or so
            large that its square is not; the text is the reason.
    """
    # A scale may take a value out of range; what comes of it is looked at next.
    with np.errstate(all="ignore"):
        delta = asked.codec.decode(encoded, like=asked.params)
    _check_values(delta)
    _check_values(extra)
    return Update(asked.order.client, report.examples, delta, extra, report.start_loss)


def _check_values(tensors: Mapping[str, np.ndarray]) -> None:
    for name in sorted(tensors):
        # A NaN among the values is both their largest and their smallest.
        ends = [float(end(tensors[name], initial=0)) for end in (np.max, np.min)]
        if not all(map(math.isfinite, ends)):
            raise WireError(f"NaN or infinity in {name}")
        if max(map(abs, ends)) > LARGEST:
            raise WireError(
                f"a value of {max(ends, key=abs):g} in {name}; none may exceed {LARGEST:g}"
            )
