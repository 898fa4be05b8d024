"""What a hostile client may make of the answer that an honest one would send."""

from collections.abc import Callable

import numpy as np
from flwr.app import RecordDict

from zk0_core.tensors import Tensors
from zk0_core.wire.orders import RoundReport
from zk0_core.wire.packing import from_record, pack, tensors_from, to_record

Changed = Callable[[Tensors], Tensors]


def with_update(change: Changed) -> Callable[[RecordDict], RecordDict]:
    """Return what sends a changed update, with the hash of what is sent."""

    def forge(content: RecordDict) -> RecordDict:
        report = from_record(content, RoundReport)
        update = change(tensors_from(content, "update", report.client))
        return to_record(report, update=pack(update), extra=pack({}))

    return forge


def each(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[RecordDict], RecordDict]:
    return with_update(lambda update: {name: function(array) for name, array in update.items()})


def first(value: float) -> Callable[[RecordDict], RecordDict]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.copy()
        array[0] = value
        return array

    return each(change)


def replay() -> Callable[[RecordDict], RecordDict]:
    """Return what answers every order with the first answer."""
    kept: list[RecordDict] = []

    def forge(content: RecordDict) -> RecordDict:
        kept.append(content)
        return kept[0]

    return forge
