"""Tensors as they are: 4 bytes a value, nothing lost."""

import numpy as np

from zk0_core.errors import WireError
from zk0_core.tensors import Tensors


def check_names(encoded: Tensors, like: Tensors) -> None:
    """Raise WireError unless `encoded` has exactly the names and shapes of `like`."""
    missing, unknown = sorted(like.keys() - encoded.keys()), sorted(encoded.keys() - like.keys())
    if missing or unknown:
        raise WireError(f"tensors missing: {missing or 'none'}, unknown: {unknown or 'none'}")
    for name in sorted(like):
        if encoded[name].shape != like[name].shape:
            raise WireError(f"{name} has shape {encoded[name].shape}, expected {like[name].shape}")


class Float32Codec:
    """Sends float32 arrays."""

    def encode(self, tensors: Tensors) -> Tensors:
        """Return the tensors as float32."""
        return {name: np.asarray(array, np.float32) for name, array in tensors.items()}

    def decode(self, encoded: Tensors, like: Tensors) -> Tensors:
        """Return `encoded`, checked against `like`."""
        check_names(encoded, like)
        for name in sorted(encoded):
            if encoded[name].dtype != np.float32:
                raise WireError(f"{name} is {encoded[name].dtype}, expected float32")
        return encoded
