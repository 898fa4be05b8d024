"""Checks that every codec needs: what arrives was sent by somebody else."""

from collections.abc import Mapping, Sequence

import numpy as np

from zk0_core.errors import WireError
from zk0_core.tensors import Tensors, first_not_finite


def check_arrays(
    arrays: Tensors, shapes: Mapping[str, tuple[int, ...]], dtype: type[np.generic]
) -> None:
    """Check that `arrays` are what was to be sent.

    Raises:
        WireError: unless they have exactly the names and shapes of `shapes`, and `dtype`.
    """
    missing, unknown = sorted(shapes.keys() - arrays.keys()), sorted(arrays.keys() - shapes.keys())
    if missing or unknown:
        raise WireError(f"tensors missing: {missing or 'none'}, unknown: {unknown or 'none'}")
    for name, shape in sorted(shapes.items()):
        if arrays[name].shape != shape:
            raise WireError(f"{name} has shape {arrays[name].shape}, expected {shape}")
        if arrays[name].dtype != dtype:
            raise WireError(f"{name} is {arrays[name].dtype}, expected {np.dtype(dtype)}")


def check_finite(tensors: Mapping[str, np.ndarray]) -> None:
    """Raise WireError if a tensor holds a NaN or an infinity, which not every encoding can say."""
    if (name := first_not_finite(tensors)) is not None:
        raise WireError(f"NaN or infinity in {name}")


def shapes_of(tensors: Mapping[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor, by name."""
    return {name: array.shape for name, array in tensors.items()}


def by_prefix(encoded: Tensors, prefixes: Sequence[str]) -> list[Tensors]:
    """Return the arrays whose names start with each prefix, by the names without it.

    Raises:
        WireError: if a name starts with none of them.
    """
    parts: list[Tensors] = [{} for _ in prefixes]
    for name, array in encoded.items():
        for part, prefix in zip(parts, prefixes, strict=True):
            if name.startswith(prefix):
                part[name.removeprefix(prefix)] = array
                break
        else:
            raise WireError(f"{name} starts with none of {', '.join(prefixes)}")
    return parts
