"""Tensors as they are: 4 bytes a value, nothing lost."""

import numpy as np

from zk0_core.tensors import Tensors
from zk0_core.wire.arrays import check_arrays, shapes_of


class Float32Codec:
    """Sends float32 arrays."""

    def encode(self, tensors: Tensors) -> Tensors:
        """Return the tensors as float32."""
        return {name: np.asarray(array, np.float32) for name, array in tensors.items()}

    def decode(self, encoded: Tensors, like: Tensors) -> Tensors:
        """Return `encoded`, checked against `like`."""
        check_arrays(encoded, shapes_of(like), np.float32)
        return encoded
