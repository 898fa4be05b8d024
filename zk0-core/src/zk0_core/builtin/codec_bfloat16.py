"""Half the bytes: the upper 16 bits of each float32, rounded to nearest even."""

import numpy as np

from zk0_core.builtin.codec_float32 import check_names
from zk0_core.errors import WireError
from zk0_core.tensors import Tensors


class BFloat16Codec:
    """Sends bfloat16, as uint16 arrays since NumPy has no such type."""

    def encode(self, tensors: Tensors) -> Tensors:
        """Return the tensors' bfloat16 bit patterns; NaN stays NaN."""
        encoded = {}
        for name, array in tensors.items():
            values = np.ascontiguousarray(array, np.float32)
            bits = values.view(np.uint32)
            # Half a unit of the last bit kept, less one on even ones: ties go to even.
            rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
            kept = (rounded >> np.uint32(16)).astype(np.uint16)
            bfloat16 = np.where(np.isnan(values), np.uint16(0x7FC0), kept)
            # ascontiguousarray gives a scalar a dimension.
            encoded[name] = bfloat16.reshape(np.shape(array))
        return encoded

    def decode(self, encoded: Tensors, like: Tensors) -> Tensors:
        """Return float32 values, checked against `like`."""
        check_names(encoded, like)
        decoded = {}
        for name in sorted(encoded):
            if encoded[name].dtype != np.uint16:
                raise WireError(f"{name} is {encoded[name].dtype}, expected uint16 (bfloat16)")
            decoded[name] = (encoded[name].astype(np.uint32) << np.uint32(16)).view(np.float32)
        return decoded
