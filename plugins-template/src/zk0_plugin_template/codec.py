"""One byte a value: whole numbers from −127 to 127, and one scale for each tensor.

A value x of a tensor whose largest magnitude is m travels as round(127 · x / m), beside m / 127.
"""

from typing import TYPE_CHECKING

from zk0_core import WireError

if TYPE_CHECKING:
    from zk0_core.tensors import Tensors

VALUES, SCALE = "int8:", "scale:"
"""What stands before a tensor's name, on the wire."""


class Int8Codec:
    """Sends int8 arrays; an error is at most 1/254 of the tensor's largest magnitude."""

    def encode(self, tensors: "Tensors") -> "Tensors":
        """Return values and scale of each tensor.

        Raises:
            WireError: if a tensor holds a NaN or an infinity, for which there is no int8.
        """
        import numpy as np

        encoded = {}
        for name, array in tensors.items():
            if not np.isfinite(array).all():
                raise WireError(f"NaN or infinity in {name}")
            largest = float(np.abs(array).max(initial=0.0))
            scale = np.float32(largest / 127 or 1.0)
            encoded[VALUES + name] = np.asarray(np.rint(array / scale), np.int8)
            encoded[SCALE + name] = np.full(1, scale, np.float32)
        return encoded

    def decode(self, encoded: "Tensors", like: "Tensors") -> "Tensors":
        """Return float32 tensors with the names and shapes of `like`."""
        import numpy as np

        if encoded.keys() != {part + name for name in like for part in (VALUES, SCALE)}:
            raise WireError("int8 tensors are missing, or unknown")
        decoded = {}
        for name, array in like.items():
            values, scale = encoded[VALUES + name], encoded[SCALE + name]
            if values.dtype != np.int8 or values.shape != array.shape or scale.shape != (1,):
                raise WireError(f"{name} is {values.dtype} {values.shape}, not int8 {array.shape}")
            decoded[name] = np.asarray(values * scale[0], np.float32)
        return decoded
