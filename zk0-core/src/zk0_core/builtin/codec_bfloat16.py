"""Half the bytes: the upper 16 bits of each float32, rounded to nearest even."""

from typing import TYPE_CHECKING

import numpy as np

from zk0_core.tensors import Tensors
from zk0_core.wire.arrays import check_arrays, shapes_of

if TYPE_CHECKING:
    from zk0_core.protocols import Codec


BLOCK = 2**16
"""Values that are rounded at once: what is made on the way stays in a processor's cache."""


class BFloat16Codec:
    """Sends bfloat16, as uint16 arrays since NumPy has no such type."""

    def encode(self, tensors: Tensors) -> Tensors:
        """Return the tensors' bfloat16 bit patterns; NaN stays NaN."""
        encoded = {}
        for name, array in tensors.items():
            values = np.ascontiguousarray(array, np.float32).reshape(-1)
            bfloat16 = np.empty(values.size, np.uint16)
            for start in range(0, values.size, BLOCK):
                block = slice(start, start + BLOCK)
                bits = values[block].view(np.uint32)
                # Half a unit of the last bit kept, less one on even ones: ties go to even.
                rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
                rounded >>= np.uint32(16)
                rounded[np.isnan(values[block])] = 0x7FC0
                bfloat16[block] = rounded
            encoded[name] = bfloat16.reshape(np.shape(array))
        return encoded

    def decode(self, encoded: Tensors, like: Tensors) -> Tensors:
        """Return float32 values, checked against `like`."""
        check_arrays(encoded, shapes_of(like), np.uint16)
        decoded = {}
        for name, bits in encoded.items():
            values = bits.astype(np.uint32, order="C")
            values <<= np.uint32(16)
            decoded[name] = np.asarray(values).view(np.float32)
        return decoded


def whole_codec(name: str) -> "Codec":
    """Return the codec of parameters that lossy codecs of updates go with: float32 or bfloat16."""
    from zk0_core.builtin.codec_float32 import Float32Codec

    return Float32Codec() if name == "float32" else BFloat16Codec()
