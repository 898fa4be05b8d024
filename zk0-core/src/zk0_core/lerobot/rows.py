"""Arrays that lie in several files, read by row as if they were one."""

from collections.abc import Sequence

import numpy as np


class Rows:
    """The rows of `arrays`, numbered through; arrays may be on disk and stay there."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        """Join `arrays`, each (N, ...), of one dtype.

        Where an axis but the first is shorter than in another array, zeros fill its end.
        """
        self._arrays = arrays
        self._starts = np.cumsum([0, *(len(array) for array in arrays)])
        self._row = tuple(np.max([array.shape[1:] for array in arrays], axis=0).tolist())

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of those numbers, (len(rows), ...)."""
        if len(self._arrays) == 1:
            return self._arrays[0][rows]
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        taken = np.zeros((len(rows), *self._row), self._arrays[0].dtype)
        for part in np.unique(part_of):
            array = self._arrays[part]
            place = (part_of == part, *(slice(length) for length in array.shape[1:]))
            taken[place] = array[rows[part_of == part] - self._starts[part]]
        return taken

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._starts[-1])
