"""Arrays that came by wire: as NumPy would read them, without a copy."""

import numpy as np
import pytest
from flwr.app import Array

from zk0_core.wire.npy import read_array


@pytest.mark.parametrize(
    "sent",
    [
        np.array(2.5, np.float32),
        np.zeros((0, 3), np.float32),
        np.arange(6, dtype=np.int64).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.array([True, False]),
        np.arange(3, dtype=">f4"),
    ],
    ids=["no dimension", "empty", "rows first", "columns first", "truth values", "big end first"],
)
def test_an_array_is_read_as_it_was_sent(sent: np.ndarray) -> None:
    array = Array(sent)
    read = read_array("w", array)
    np.testing.assert_array_equal(read, sent)
    assert (read.dtype, read.shape) == (sent.dtype, sent.shape)


def test_values_stay_where_their_bytes_are() -> None:
    array = Array(np.arange(4, dtype=np.float32))
    read = read_array("w", array)
    assert np.shares_memory(read, np.frombuffer(array.data, np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        read[0] = 1
