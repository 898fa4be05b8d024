"""Named tensors: what travels between server and client, as NumPy arrays by parameter name.

The server never needs torch to combine updates; clients convert at the edge of their session.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

Tensors = dict[str, np.ndarray]
"""Parameter name to array. Order does not matter: whatever walks over them sorts by name."""


def fingerprint(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, dtypes, shapes and bytes, in order of name, as hex."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}\x1f{array.dtype.str}\x1f{array.shape}\x1f".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def as_arrays(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Return `tensors` as arrays, which sums over some that have no dimension are not.

    NumPy makes a number of what has no dimension, and neither files nor Flower take that.
    """
    return {name: np.asarray(tensor) for name, tensor in tensors.items()}


def difference(after: Mapping[str, np.ndarray], before: Mapping[str, np.ndarray]) -> Tensors:
    """Return `after` − `before`, name by name."""
    return as_arrays({name: after[name] - before[name] for name in sorted(before)})


def added(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> Tensors:
    """Return `first` + `second`, name by name."""
    return as_arrays({name: first[name] + second[name] for name in sorted(first)})


def norm(tensors: Mapping[str, np.ndarray]) -> float:
    """Return the Euclidean norm over all tensors together, summed in float64."""
    squares = (
        float(np.sum(np.square(tensors[name], dtype=np.float64))) for name in sorted(tensors)
    )
    return float(np.sqrt(sum(squares)))


def first_not_finite(tensors: Mapping[str, np.ndarray]) -> str | None:
    """Return the first name, in order, whose tensor holds a NaN or an infinity."""
    for name in sorted(tensors):
        if not np.isfinite(tensors[name]).all():
            return name
    return None
