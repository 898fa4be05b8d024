"""One byte a value: whole numbers from -127 to 127, and one scale for each output channel.

A channel is an index into the first axis: a row of a weight matrix, a filter of a convolution. What
has fewer than two axes is one channel. A value x of a channel whose largest magnitude is m travels
as round(127 x / m), beside m / 127: symmetric quantization by channel, Krishnamoorthi 2018,
"Quantizing deep convolutional networks for efficient inference", section 2.2. An error is at most
m / 254, and with error feedback it is made good in the rounds after.

What is sent so are updates. The parameters themselves, whose errors no later round would make good,
go out as the option `broadcast` says.
"""

from typing import TYPE_CHECKING

import attrs

from zk0_core.records import CodecPlugin
from zk0_core.validators import one_of

if TYPE_CHECKING:
    import numpy as np

    from zk0_core.protocols import Codec
    from zk0_core.tensors import Tensors

VALUES, SCALES = "int8:", "scale:"
"""What stands before a tensor's name, on the wire."""
LARGEST = 127


@attrs.frozen(kw_only=True)
class Int8Options:
    """Options of int8."""

    error_feedback: bool = attrs.field(
        default=True,
        metadata={"help": "Whether a client adds to each update what rounding took from the last."},
    )
    broadcast: str = attrs.field(
        default="bfloat16",
        validator=one_of("float32", "bfloat16", "int8"),
        metadata={"help": "How parameters are sent to the clients."},
    )


class Int8Codec:
    """Sends int8 arrays and a float32 scale for each channel."""

    def encode(self, tensors: "Tensors") -> "Tensors":
        """Return values and scales of each tensor.

        Raises:
            WireError: if a tensor holds a NaN or an infinity, for which there is no int8.
        """
        import numpy as np

        from zk0_core.wire.arrays import check_finite

        check_finite(tensors)
        encoded = {}
        for name, array in tensors.items():
            largest = np.abs(_channels(array)).max(axis=1, initial=0.0)  # (channels,)
            scales = np.asarray(largest / LARGEST, np.float32)
            # 1 for channels of zeros, and for those so small that their scale would be 0.
            scales[scales == 0] = 1
            values = np.rint(_channels(array) / scales[:, None])
            # The scale of numbers below float32's normal range is rounded by more than a half.
            values = np.clip(values, -LARGEST, LARGEST).astype(np.int8)
            encoded[VALUES + name] = values.reshape(array.shape)
            encoded[SCALES + name] = scales
        return encoded

    def decode(self, encoded: "Tensors", like: "Tensors") -> "Tensors":
        """Return float32 tensors with the names and shapes of `like`.

        Raises:
            WireError: if `encoded` does not hold exactly those.
        """
        import numpy as np

        from zk0_core.wire.arrays import by_prefix, check_arrays, shapes_of

        values, scales = by_prefix(encoded, (VALUES, SCALES))
        check_arrays(values, shapes_of(like), np.int8)
        channels = {name: (len(_channels(array)),) for name, array in like.items()}
        check_arrays(scales, channels, np.float32)
        return {
            name: (_channels(values[name]) * scales[name][:, None]).reshape(array.shape)
            for name, array in like.items()
        }


def _channels(array: "np.ndarray") -> "np.ndarray":
    """Return `array` as (channels, values of each)."""
    if array.ndim < 2:
        return array.reshape(1, array.size)
    count = len(array)
    return array.reshape(count, array.size // count if count else 0)


def build(options: Int8Options) -> "Codec":
    """Return the codec of updates."""
    from zk0_core.wire.feedback import ErrorFeedback

    return ErrorFeedback(Int8Codec()) if options.error_feedback else Int8Codec()


def build_broadcast(options: Int8Options) -> "Codec":
    """Return the codec of parameters."""
    from zk0_core.builtin.codec_bfloat16 import whole_codec

    return Int8Codec() if options.broadcast == "int8" else whole_codec(options.broadcast)


PLUGIN = CodecPlugin(
    name="int8",
    summary="1 byte a value of an update, with a scale for each channel and error feedback",
    options=Int8Options,
    build=build,
    build_broadcast=build_broadcast,
)
