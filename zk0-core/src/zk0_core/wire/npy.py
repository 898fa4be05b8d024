"""Reading an array that somebody else wrote: what it claims is checked before memory is taken.

Flower sends an array as a file of NumPy's: a header of dtype and shape, then the values. NumPy
takes the memory that the header asks for before it looks how many values follow, so that some
bytes could ask for gigabytes.
"""

import io
import math
from typing import Literal

import numpy as np
from flwr.app import Array

from zk0_core.errors import WireError

KINDS = "biuf"
"""Kinds of dtypes that travel: truth values, whole numbers, floats. Objects are never read."""


def read_array(name: str, array: Array) -> np.ndarray:
    """Return the values of `array`, which lie where its bytes do: they can only be read.

    Raises:
        WireError: naming the array, if it is none of NumPy's, of a kind that does not travel, or
            does not hold as many bytes as it says.
    """
    shape, order, dtype, start = _claimed(name, array)
    if dtype.kind not in KINDS:
        raise WireError(f"{name} has dtype {dtype}; only numbers travel")
    size, claimed = len(array.data) - start, math.prod(shape) * dtype.itemsize
    if claimed != size:
        raise WireError(f"{name} claims {claimed} bytes of values and holds {size}")
    if (tuple(array.shape), array.dtype) != (shape, str(dtype)):
        raise WireError(
            f"{name} is announced as {array.dtype} {tuple(array.shape)} and is {dtype} {shape}"
        )
    try:
        return np.frombuffer(array.data, dtype, offset=start).reshape(shape, order=order)
    # Of no values at all, any number of sides of any length: NumPy has limits for both.
    except (ValueError, OverflowError) as problem:
        raise WireError(f"{name} claims a shape that no array has: {problem}") from None


def _claimed(name: str, array: Array) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype, int]:
    """Return shape, order, dtype, and where the values start, as the header has it."""
    file = io.BytesIO(array.data)
    try:
        if array.stype != "numpy.ndarray":
            raise ValueError(f"serialized as {array.stype!r}")
        version = np.lib.format.read_magic(file)
        # Version 2 is for headers that do not fit into 64 KiB, 3 for names of structured types.
        if version != (1, 0):
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
    # The header is a literal of Python's, and its parser raises anything from SyntaxError to
    # TokenError and RecursionError; whatever it is, it is about these bytes.
    except Exception as problem:
        text = " ".join(str(problem).split())
        raise WireError(f"{name} is no array of NumPy's: {text[:200]}") from None
    if any(side < 0 for side in shape):
        raise WireError(f"{name} claims the shape {shape}")
    return shape, "F" if columns_first else "C", dtype, file.tell()
