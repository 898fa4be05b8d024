"""The largest values of an update: 8 bytes for each value that is sent, none for the others.

Of a tensor of n values, the ceil(fraction n) largest in magnitude travel with their places; of
equal ones, those that come first. The others stay with the client and are added to its next update.
Aji and Heafield 2017, "Sparse Communication for Distributed Gradient Descent"; Stich et al. 2018,
"Sparsified SGD with Memory".

Parameters go out whole, as the option `broadcast` says.
"""

import math
from typing import TYPE_CHECKING

import attrs

from zk0_core.errors import WireError
from zk0_core.records import CodecPlugin
from zk0_core.validators import above_up_to, one_of

if TYPE_CHECKING:
    import numpy as np

    from zk0_core.protocols import Codec
    from zk0_core.tensors import Tensors

SHAPES, PLACES, VALUES = "shape:", "place:", "value:"
"""What stands before a tensor's name, on the wire."""


@attrs.frozen(kw_only=True)
class TopKOptions:
    """Options of topk."""

    fraction: float = attrs.field(
        default=0.05,
        validator=above_up_to(0, 1),
        metadata={"help": "Share of each tensor's values that is sent; 1 sends all."},
    )
    error_feedback: bool = attrs.field(
        default=True,
        metadata={"help": "Whether a client adds to each update what it did not send before."},
    )
    broadcast: str = attrs.field(
        default="bfloat16",
        validator=one_of("float32", "bfloat16"),
        metadata={"help": "How parameters are sent to the clients."},
    )


class TopKCodec:
    """Sends shapes, rising places in the flattened tensor, uint32, and float32 values."""

    def __init__(self, fraction: float) -> None:
        """Send `fraction` of each tensor's values, in (0, 1]."""
        self._fraction = fraction

    def encode(self, tensors: "Tensors") -> "Tensors":
        """Return places and values of the largest of each tensor.

        Raises:
            WireError: if a tensor holds a NaN or an infinity, which has no place in an order.
        """
        import numpy as np

        from zk0_core.wire.arrays import check_finite

        check_finite(tensors)
        encoded = {}
        for name, array in tensors.items():
            flat = np.asarray(array, np.float32).reshape(-1)
            places = largest(flat, self._count(flat.size))
            encoded[SHAPES + name] = np.array(np.shape(array), np.int64)
            encoded[PLACES + name] = places
            encoded[VALUES + name] = flat[places]
        return encoded

    def decode(self, encoded: "Tensors", like: "Tensors") -> "Tensors":
        """Return float32 tensors with the names and shapes of `like`, 0 where nothing was sent.

        Raises:
            WireError: if `encoded` does not hold exactly those.
        """
        import numpy as np

        from zk0_core.wire.arrays import by_prefix, check_arrays

        shapes, places, values = by_prefix(encoded, (SHAPES, PLACES, VALUES))
        check_arrays(shapes, {name: (array.ndim,) for name, array in like.items()}, np.int64)
        counts = {name: (self._count(array.size),) for name, array in like.items()}
        check_arrays(places, counts, np.uint32)
        check_arrays(values, counts, np.float32)
        decoded = {}
        for name, array in like.items():
            if (shape := tuple(shapes[name].tolist())) != array.shape:
                raise WireError(f"{name} has shape {shape}, expected {array.shape}")
            at = places[name].astype(np.int64)
            if (np.diff(at) <= 0).any() or (at >= array.size).any():
                raise WireError(f"places of {name} do not rise, or exceed its {array.size} values")
            flat = np.zeros(array.size, np.float32)
            flat[at] = values[name]
            decoded[name] = flat.reshape(array.shape)
        return decoded

    def _count(self, size: int) -> int:
        return math.ceil(self._fraction * size)


def largest(flat: "np.ndarray", count: int) -> "np.ndarray":
    """Return the rising places of the `count` largest magnitudes of `flat`, uint32.

    Which one of equal values is sent must not depend on how a sort is written.
    """
    import numpy as np

    magnitudes = np.abs(flat)
    if count == 0:
        return np.zeros(0, np.uint32)
    smallest = np.partition(magnitudes, flat.size - count)[flat.size - count]
    above = np.flatnonzero(magnitudes > smallest)
    equal = np.flatnonzero(magnitudes == smallest)[: count - above.size]
    return np.sort(np.concatenate([above, equal])).astype(np.uint32)


def build(options: TopKOptions) -> "Codec":
    """Return the codec of updates."""
    from zk0_core.wire.feedback import ErrorFeedback

    codec = TopKCodec(options.fraction)
    return ErrorFeedback(codec) if options.error_feedback else codec


def build_broadcast(options: TopKOptions) -> "Codec":
    """Return the codec of parameters."""
    from zk0_core.builtin.codec_bfloat16 import whole_codec

    return whole_codec(options.broadcast)


PLUGIN = CodecPlugin(
    name="topk",
    summary="The largest values of an update with their places, the others later",
    options=TopKOptions,
    build=build,
    build_broadcast=build_broadcast,
)
