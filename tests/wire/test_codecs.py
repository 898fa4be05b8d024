"""What codecs send and what arrives: values worked out by hand, and what is refused."""

from typing import Any

import numpy as np
import pytest

from tests.wire.by_hand import parts_of
from zk0_core.builtin.codec_bfloat16 import BFloat16Codec
from zk0_core.builtin.codec_int8 import Int8Codec
from zk0_core.builtin.codec_topk import TopKCodec, largest
from zk0_core.errors import PluginError, WireError
from zk0_core.parts import build_broadcast_codec, build_codec
from zk0_core.plan import PluginChoice
from zk0_core.protocols import Codec, StatefulCodec
from zk0_core.wire.feedback import ErrorFeedback
from zk0_core.wire.packing import bytes_in, pack, to_record


def arrives(codec: Codec, *values: Any) -> list[Any]:
    """Return what arrives of one tensor `w`, as lists."""
    like = {"w": np.array(values, np.float32)}
    return codec.decode(codec.encode(like), like)["w"].tolist()


def test_bfloat16_rounds_to_nearest_even() -> None:
    # bfloat16 keeps 8 bits of 1.x: steps of 2⁻⁷ above 1. Halfway cases go to the even step.
    step = 2.0**-7
    values = (1.0, 1 + step / 2, 1 + 3 * step / 2, -1 - step, np.nan)
    *numbers, nan = arrives(BFloat16Codec(), *values)
    assert numbers == [1.0, 1.0, 1 + 2 * step, -1 - step]
    assert np.isnan(nan)


def test_int8_scales_each_row_alone() -> None:
    """The rows' largest are 254 and 12.7, so their scales are 2 and 0.1.

    3 / 2 = 1.5 and 5 / 2 = 2.5 both go to the even 2; −0.33 / 0.1 goes to −3.
    """
    weight = np.array([[254, 3, 5], [12.7, -0.33, 0]], np.float32)
    encoded = Int8Codec().encode({"w": weight})
    assert encoded["int8:w"].tolist() == [[127, 2, 2], [127, -3, 0]]
    assert encoded["int8:w"].dtype == np.int8
    assert encoded["scale:w"].tolist() == [2.0, np.float32(0.1)]
    decoded = Int8Codec().decode(encoded, {"w": weight})["w"]
    np.testing.assert_allclose(decoded, [[254, 4, 4], [12.7, -0.3, 0]], rtol=1e-6)


def test_int8_of_a_filter_a_vector_and_a_number() -> None:
    """A filter is a channel; a vector and a number are one each."""
    tensors = {
        "filters": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
        "bias": np.arange(5, dtype=np.float32),
        "number": np.array(-3.0, np.float32),
    }
    encoded = Int8Codec().encode(tensors)
    scales = {name: encoded[f"scale:{name}"].tolist() for name in tensors}
    assert scales == {
        "filters": [np.float32(11 / 127), np.float32(23 / 127)],
        "bias": [np.float32(4 / 127)],
        "number": [np.float32(3 / 127)],
    }
    assert encoded["int8:number"].tolist() == -127


def test_int8_of_zeros_and_of_next_to_nothing() -> None:
    """1e-45 is the smallest float32: a 127th of it is 0. 3e-43 has a scale of 2 units, not 1.7."""
    assert arrives(Int8Codec(), 0.0, 0.0) == [0.0, 0.0]
    assert arrives(Int8Codec(), 1e-45, 0.0) == [0.0, 0.0]
    small = np.float32(3e-43)
    assert arrives(Int8Codec(), small, -small)[0] == pytest.approx(float(small), rel=0.2)


def test_what_int8_rounds_off_comes_with_the_next_update() -> None:
    """The largest, 127, makes the scale 1; 0.4 goes to 0, then 0.8 to 1, then 0.2 to 0."""
    codec = ErrorFeedback(Int8Codec())
    updates = [arrives(codec, 127.0, 0.4) for _ in range(5)]
    assert updates == [[127, 0], [127, 1], [127, 0], [127, 1], [127, 0]]
    # After five: 5 · 0.4 = 2 was due, and 2 has arrived.
    np.testing.assert_allclose(codec.state()["w"], [0, 0], atol=1e-6)


def test_topk_sends_the_largest_with_their_places() -> None:
    """Half of five values are ceil(2.5) = 3: 4, −3 and the first of the two 2s."""
    weight = np.array([2, -3, 4, 2, 1], np.float32)
    encoded = TopKCodec(0.5).encode({"w": weight})
    assert encoded["place:w"].tolist() == [0, 1, 2]
    assert encoded["value:w"].tolist() == [2, -3, 4]
    assert encoded["shape:w"].tolist() == [5]
    assert TopKCodec(0.5).decode(encoded, {"w": weight})["w"].tolist() == [2, -3, 4, 0, 0]


def test_what_topk_leaves_out_comes_later() -> None:
    """First 4 and −3; then 4 and, of 2 + 2 and −3, the 4 of the third place; then −3 − 3."""
    codec = ErrorFeedback(TopKCodec(0.5))
    updates = [arrives(codec, 4, -3, 2, 1) for _ in range(3)]
    assert updates == [[4, -3, 0, 0], [4, 0, 4, 0], [4, -6, 0, 0]]
    assert codec.state()["w"].tolist() == [0, 0, 2, 3]


def test_largest_of_one_all_and_none() -> None:
    values = np.array([1, -1, 1], np.float32)
    assert largest(values, 1).tolist() == [0]
    assert largest(values, 3).tolist() == [0, 1, 2]
    assert largest(values[:0], 0).tolist() == []
    assert arrives(TopKCodec(1.0), 1, 0, -2) == [1, 0, -2]


@pytest.mark.parametrize("codec", [Int8Codec(), TopKCodec(0.5), ErrorFeedback(Int8Codec())])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_not_encoded(codec: Codec, bad: float) -> None:
    with pytest.raises(WireError, match="NaN or infinity in w"):
        codec.encode({"w": np.array([1, bad], np.float32)})


LIKE = {"w": np.zeros((2, 3), np.float32)}


def changed(codec: Codec, **arrays: Any) -> dict[str, np.ndarray]:
    """Return LIKE encoded, with `arrays` in place of some, underscores for colons."""
    return codec.encode(LIKE) | {name.replace("_", ":"): a for name, a in arrays.items()}


@pytest.mark.parametrize(
    ("codec", "arrays", "text"),
    [
        (Int8Codec(), {"other_w": np.zeros(1)}, "other:w starts with none of int8:, scale:"),
        (Int8Codec(), {"int8_v": np.zeros(1)}, r"tensors missing: none, unknown: \['v'\]"),
        (Int8Codec(), {"int8_w": np.zeros((2, 3))}, "w is float64, expected int8"),
        (
            Int8Codec(),
            {"scale_w": np.zeros(1, np.float32)},
            r"w has shape \(1,\), expected \(2,\)",
        ),
        (TopKCodec(0.5), {"place_w": np.zeros(3, np.int64)}, "w is int64, expected uint32"),
        (
            TopKCodec(0.5),
            {"place_w": np.array([0, 1, 1], np.uint32)},
            "places of w do not rise, or exceed its 6 values",
        ),
        (
            TopKCodec(0.5),
            {"place_w": np.array([0, 1, 6], np.uint32)},
            "places of w do not rise, or exceed its 6 values",
        ),
        (TopKCodec(0.5), {"shape_w": np.array([3, 2])}, r"w has shape \(3, 2\), expected \(2, 3\)"),
        (
            TopKCodec(0.5),
            {"value_w": np.zeros(6, np.float32)},
            r"w has shape \(6,\), expected \(3,\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(codec: Codec, arrays: dict[str, Any], text: str) -> None:
    with pytest.raises(WireError, match=text):
        codec.decode(changed(codec, **arrays), LIKE)


def size(codec: Codec) -> int:
    """Return the bytes on the wire of 100 × 100 values, without the header of their file."""
    packed = pack(codec.encode({"w": np.ones((100, 100), np.float32)}))
    header, _ = parts_of(packed.arrays["0"].data)
    return bytes_in(to_record(PluginChoice("codec", ""), update=packed)) - 8 - len(header)


@pytest.mark.parametrize(
    ("name", "options", "up", "down"),
    [
        ("float32", {}, 40_000, 40_000),
        ("bfloat16", {}, 20_000, 20_000),
        # A byte a value, and 100 scales.
        ("int8", {}, 10_400, 20_000),
        ("int8", {"broadcast": "int8"}, 10_400, 10_400),
        # 500 values and places of 4 bytes each, and a shape of two numbers of 8.
        ("topk", {}, 4_016, 20_000),
        ("topk", {"fraction": 0.01, "broadcast": "float32"}, 816, 40_000),
    ],
)
def test_bytes(name: str, options: dict[str, Any], up: int, down: int) -> None:
    choice = PluginChoice("codec", name, options)
    assert size(build_codec(choice)) == up
    assert size(build_broadcast_codec(choice)) == down


@pytest.mark.parametrize("name", ["int8", "topk"])
def test_error_feedback_can_be_left_out(name: str) -> None:
    assert isinstance(build_codec(PluginChoice("codec", name)), StatefulCodec)
    without = build_codec(PluginChoice("codec", name, {"error_feedback": False}))
    assert not isinstance(without, StatefulCodec)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("topk", {"fraction": 0.0}, "codec.fraction must be above 0 and at most 1, got 0.0"),
        ("topk", {"broadcast": "int8"}, "codec.broadcast must be one of float32, bfloat16"),
        ("int8", {"broadcast": "int4"}, "codec.broadcast must be one of float32, bfloat16, int8"),
    ],
)
def test_options_out_of_range(name: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(PluginError, match=text):
        build_codec(PluginChoice("codec", name, options))
