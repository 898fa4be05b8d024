"""What codecs do wrong, and what the contract says of it."""

import numpy as np
import pytest

from tests.testing.failing import failure
from zk0_core import CodecPlugin
from zk0_core.builtin.codec_float32 import Float32Codec
from zk0_core.testing import CodecContract


class Lossy:
    """Drops the last value of every tensor, and hides NaN."""

    def encode(self, tensors):
        return {name: np.nan_to_num(array).reshape(-1)[:-1] for name, array in tensors.items()}

    def decode(self, encoded, like):
        sent = {name: encoded.get(name, np.zeros(0)) for name in like}
        return {
            name: np.resize(sent[name] if sent[name].size else np.zeros(1), array.shape).astype(
                "f4"
            )
            for name, array in like.items()
        }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_updates_come_back_near", "head.bias is off by"),
        ("test_broadcasts_come_back_near", "head.bias is off by"),
        ("test_nan_is_not_hidden", "a NaN comes back as a number"),
        ("test_misfits_are_refused", "decode takes a missing tensor; raise WireError"),
    ],
)
def test_what_codecs_do_wrong(name: str, text: str) -> None:
    record = CodecPlugin(name="it", summary="s", build=lambda options: Lossy())
    assert failure(CodecContract, record, name).startswith(text)


class Remembering(Float32Codec):
    """Adds up what it was given, and forgets it when it is restored."""

    def __init__(self):
        self.sums = {}

    def encode(self, tensors):
        self.sums = {name: array + self.sums.get(name, 0) for name, array in tensors.items()}
        return super().encode(self.sums)

    def state(self):
        return {}

    def restore(self, state):
        self.sums = {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("test_memory_survives", "after restore(state()) an update is encoded otherwise"),
        (
            "test_broadcasts_remember_nothing",
            "the codec of broadcasts has a memory; give the record a build_broadcast without one",
        ),
    ],
)
def test_what_codecs_with_a_memory_do_wrong(name: str, text: str) -> None:
    record = CodecPlugin(name="it", summary="s", build=lambda options: Remembering())
    assert failure(CodecContract, record, name).startswith(text)
