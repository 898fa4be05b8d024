"""A message's form as a Flower record: a header of typed fields, as JSON, and named tensors.

The header carries the SHA-256 of the tensors as sent; the receiver checks it before it uses a byte.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from zk0_core.errors import WireError
from zk0_core.strict import structured, unstructured
from zk0_core.tensors import Tensors
from zk0_core.wire.groups import array_groups, config_groups
from zk0_core.wire.serialization import read_file, write_files

MOST_IN_GROUP = 2**16
"""How many tensors a message has in one group."""

MOST_SHOWN = 500
"""Characters of what is wrong with a header that an error shows: it was sent by somebody else."""

SAFETENSORS = "safetensors"
"""How arrays of a message are serialized: each is a file with some of the tensors."""


@attrs.frozen
class Packed:
    """Named tensors as Flower sends them, with their hash: packed once, sent to many."""

    arrays: ArrayRecord
    hash: str


def pack(tensors: Tensors) -> Packed:
    """Return `tensors` packed for the wire.

    Raises:
        WireError: see `write_files`.
    """
    return pack_files(write_files(tensors))


def pack_files(files: Iterable[bytes]) -> Packed:
    """Return files of tensors as Flower sends them."""
    arrays = {
        str(number): Array("uint8", (len(file),), SAFETENSORS, file)
        for number, file in enumerate(files)
    }
    return Packed(ArrayRecord(arrays), _hash(arrays))


def _hash(arrays: Mapping[str, Array]) -> str:
    """Return the SHA-256 over the files, in their order, as hex."""
    digest = hashlib.sha256()
    for array in arrays.values():
        digest.update(array.data)
    return digest.hexdigest()


def pack_each(tensors: Mapping[str, Tensors]) -> dict[str, Packed]:
    """Return every client's tensors packed; those that are one object are packed once."""
    packed: dict[int, Packed] = {}
    for own in tensors.values():
        if id(own) not in packed:
            packed[id(own)] = pack(own)
    return {client: packed[id(own)] for client, own in tensors.items()}


def to_record(header: Any, **groups: Packed) -> RecordDict:
    """Return `header` and groups of named tensors as one Flower record, hashes included."""
    record = RecordDict()
    for group, packed in groups.items():
        record[group] = packed.arrays
    record["header"] = ConfigRecord(
        {
            "type": type(header).__name__,
            "json": json.dumps(unstructured(header), allow_nan=False),
            **{group: packed.hash for group, packed in groups.items()},
        }
    )
    return record


def one_line(text: str, most: int = MOST_SHOWN) -> str:
    """Return the first `most` characters of `text`, which somebody else wrote, as one line."""
    # JSON may hold halves of characters, which no file takes.
    whole = text[:most].encode("utf-8", "replace").decode()
    return " ".join(whole.split())


def header_type(record: RecordDict) -> str:
    """Return the name of the header's type; empty when there is no header."""
    header = config_groups(record).get("header")
    return str(header.get("type", "")) if header else ""


def from_record[Header](record: RecordDict, kind: type[Header]) -> Header:
    """Return the header of `record`, which must be a `kind`.

    Raises:
        WireError: if it is missing, of another type, or has missing, unknown or mistyped fields.
    """
    try:
        header = config_groups(record)["header"]
        if header_type(record) != kind.__name__:
            raise WireError(f"expected a {kind.__name__}, got a {header_type(record)}")
        return structured(json.loads(str(header["json"])), kind)
    except KeyError as missing:
        raise WireError(f"malformed {kind.__name__}: it has no {missing.args[0]}") from None
    except (ValueError, RecursionError) as problem:
        text = one_line(str(problem) or type(problem).__name__)
        raise WireError(f"malformed {kind.__name__}: {text}") from problem


def tensors_from(record: RecordDict, group: str, sender: str) -> Tensors:
    """Return the tensors of `group`, after checking their hash.

    Raises:
        WireError: if the group is missing, its bytes are not those that `sender` hashed, or they
            are no tensors.
    """
    try:
        arrays = array_groups(record)[group]
        expected = config_groups(record)["header"][group]
    except KeyError as problem:
        raise WireError(f"{sender} sent no tensors {group!r}") from problem
    if (found := _hash(arrays)) != expected:
        raise WireError(
            f"hash mismatch in {group!r} from {sender}: "
            f"sent {str(expected)[:12]}…, received {found[:12]}…"
        )
    return unpack(arrays)


def unpack(arrays: Mapping[str, Array]) -> Tensors:
    """Return the tensors in `arrays`, which lie where their bytes do: they can only be read.

    Raises:
        WireError: see `read_file`; if they are no safetensors, a name is there twice, or there are
            more than MOST_IN_GROUP.
    """
    tensors: Tensors = {}
    for array in arrays.values():
        if array.stype != SAFETENSORS:
            raise WireError(f"tensors are serialized as {array.stype[:20]!r}, not as {SAFETENSORS}")
        found = read_file(array.data)
        if twice := sorted(found.keys() & tensors.keys()):
            raise WireError(f"{twice[0]} is there twice")
        tensors |= found
        # Those without a value take memory too.
        if len(tensors) > MOST_IN_GROUP:
            raise WireError(f"more than {MOST_IN_GROUP} tensors")
    return tensors


def bytes_in(record: RecordDict) -> int:
    """Return the bytes that the tensors of `record` take on the wire."""
    return sum(
        len(array.data) for arrays in array_groups(record).values() for array in arrays.values()
    )
