"""Whether a client's update counts."""

import math

from zk0_core.errors import WireError
from zk0_core.protocols import Codec, Update
from zk0_core.tensors import Tensors, first_not_finite
from zk0_core.wire.orders import RoundOrder, RoundReport


def admit(
    order: RoundOrder,
    report: RoundReport,
    encoded: Tensors,
    extra: Tensors,
    codec: Codec,
    params: Tensors,
) -> Update:
    """Return the decoded update.

    Args:
        order: What the client was asked for.
        report: What it says it did.
        encoded: Its update, as sent, its hash already checked.
        extra: What the strategy's client half sent besides.
        codec: How the update was encoded.
        params: The global parameters: names and shapes that the update must have.

    Raises:
        WireError: if the report answers another order, or the update has a wrong name, shape or
            dtype, a value that is not finite, no examples, or no loss before training where the
            order asks for it; the text is the reason.
    """
    for field in ("run", "round", "client"):
        if getattr(report, field) != getattr(order, field):
            raise WireError(
                f"report is for {field} {getattr(report, field)!r}, "
                f"the order was for {getattr(order, field)!r}"
            )
    if report.examples <= 0:
        raise WireError(f"update counts {report.examples} examples; at least 1 is needed")
    loss = report.start_loss
    if order.start_loss and (loss is None or not math.isfinite(loss)):
        raise WireError(f"the loss before training, which the strategy needs, is {loss}")
    delta = codec.decode(encoded, like=params)
    for tensors in (delta, extra):
        if (name := first_not_finite(tensors)) is not None:
            raise WireError(f"NaN or infinity in {name}")
    return Update(order.client, report.examples, delta, extra, loss)
