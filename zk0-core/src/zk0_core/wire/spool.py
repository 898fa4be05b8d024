"""A Flower record on disk, for replies that come before their turn.

A line of JSON says what follows: the bytes of each array as they came, one after the other. Nothing
is decoded, so that writing and reading take no memory beside the record's own.
"""

import json
from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from zk0_core.files import whole_file
from zk0_core.wire.groups import array_groups, config_groups


def write_record(path: Path, record: RecordDict) -> Path:
    """Write the header and arrays of `record` to `path`, and return the path."""
    described = {
        "groups": {
            group: [
                [name, array.dtype, array.shape, array.stype, len(array.data)]
                for name, array in named.items()
            ]
            for group, named in array_groups(record).items()
        },
        "header": dict(config_groups(record).get("header", {})),
    }
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(json.dumps(described).encode() + b"\n")
        for named in array_groups(record).values():
            for array in named.values():
                file.write(array.data)
    return path


def read_record(path: Path) -> RecordDict:
    """Return what `write_record` wrote to `path`, and remove the file."""
    record = RecordDict()
    with path.open("rb") as file:
        described = json.loads(file.readline())
        for group, arrays in described["groups"].items():
            record[group] = ArrayRecord(
                {
                    name: Array(dtype, tuple(shape), stype, file.read(size))
                    for name, dtype, shape, stype, size in arrays
                }
            )
    path.unlink()
    record["header"] = ConfigRecord(described["header"])
    return record
