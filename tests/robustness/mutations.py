"""Values, bytes and records changed at random, as hypothesis draws it."""

import copy
import json
import math
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import strategies as st

from tests.wire.by_hand import file_of, parts_of
from zk0_core.wire.groups import array_groups, config_groups
from zk0_core.wire.packing import pack_files
from zk0_core.wire.serialization import write_files

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(
        [-1, 0, 2**31, 2**63, 2**64, 10**400, "", "nan", "0", "x" * 3000, "../x", "ä\n"]
    ),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to all that is in dictionaries and lists."""
    if not isinstance(value, dict | list):
        return []
    found = []
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        found += [(*path, key), *places(entry, (*path, key))]
    return found


def changed(draw: Any, value: Any) -> Any:
    """Return `value` with some entries replaced, removed or added."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        if not (paths := places(value)):
            break
        *way, last = draw(st.sampled_from(paths))
        inner = value
        for key in way:
            inner = inner[key]
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                inner[last] = draw(JUNK)
            case "remove":
                del inner[last]
            case "add" if isinstance(inner, dict):
                inner[draw(st.text(max_size=4))] = draw(JUNK)
    return value


def garbled(draw: Any, content: bytes) -> bytes:
    """Return `content` with some bytes changed, cut off or repeated."""
    out = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(out) - 1)))
        match draw(st.sampled_from(["flip", "cut", "insert", "repeat"])):
            case "flip" if out:
                out[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del out[at : at + draw(st.integers(1, 200))]
            case "insert":
                out[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "repeat":
                out[at:at] = out[at : at + draw(st.integers(1, 2000))] * 3
    return bytes(out)


def text_of(draw: Any, value: Any) -> str:
    """Return `value` as JSON, changed by entry or by byte."""
    if draw(st.booleans()):
        return json.dumps(changed(draw, value))
    return garbled(draw, json.dumps(value).encode()).decode("utf-8", "replace")


def changed_array(draw: Any, name: str, array: Array) -> tuple[str, Array]:
    data, dtype, shape, stype = array.data, array.dtype, array.shape, array.stype
    match draw(st.sampled_from(["bytes", "header", "dtype", "shape", "stype", "name", "values"])):
        case "bytes":
            data = garbled(draw, data)
        case "header":  # what the file says of its tensors
            header, values = parts_of(data)
            data = file_of(text_of(draw, json.loads(header)).encode(), values)
        case "dtype":
            dtype = draw(st.sampled_from(["float64", "object", "int8", "<f4", ""]))
        case "shape":
            shape = tuple(draw(st.lists(st.integers(-2, 2**40), max_size=3)))
        case "stype":
            stype = draw(st.sampled_from(["", "pickle", "torch.Tensor"]))
        case "name":
            name = draw(st.text(max_size=5))
        case "values":
            kinds = st.sampled_from(["float32", "float64", "int8", "uint32", "int64"])
            sides = draw(st.lists(st.integers(0, 4), max_size=2))
            fill = draw(st.sampled_from([0, 1, -1, math.nan, math.inf, 1e30]))
            tensor = draw(st.sampled_from(["w", "body.w", ""]))
            with np.errstate(all="ignore"):
                (data,) = write_files({tensor: np.full(sides, fill).astype(draw(kinds))})
    return name, Array(dtype, shape, stype, data)


def changed_record(draw: Any, record: RecordDict) -> RecordDict:
    """Return `record` with its header or its arrays changed; hashes made anew, or not."""
    groups = {
        group: {name: array for name, array in named.items()}
        for group, named in array_groups(record).items()
    }
    header = dict(config_groups(record)["header"])
    if draw(st.booleans()):
        header["json"] = text_of(draw, json.loads(str(header["json"])))
    if draw(st.booleans()):
        group = draw(st.sampled_from(sorted(groups)))
        if groups[group]:
            name = draw(st.sampled_from(sorted(groups[group])))
            new, array = changed_array(draw, name, groups[group].pop(name))
            groups[group][new] = array
        if draw(st.booleans()):
            header[group] = pack_files(array.data for array in groups[group].values()).hash
    if draw(st.integers(0, 9)) == 0:
        header.pop(draw(st.sampled_from(sorted(header))))
    out = RecordDict({"header": ConfigRecord(header)})
    for group, named in groups.items():
        if draw(st.integers(0, 19)):
            out[group] = ArrayRecord(named)
    return out
