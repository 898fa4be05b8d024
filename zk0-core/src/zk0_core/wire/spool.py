"""A Flower record on disk, for replies that come before their turn."""

import json
from pathlib import Path

from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from zk0_core.files import whole_file

SEPARATOR = "\x1f"


def write_record(path: Path, record: RecordDict) -> Path:
    """Write the header and arrays of `record` to `path`, and return the path."""
    from safetensors.numpy import save_file

    arrays = {
        f"{group}{SEPARATOR}{name}": array.numpy()
        for group, named in record.array_records.items()
        for name, array in named.items()
    }
    header = {
        "groups": json.dumps(list(record.array_records)),
        "header": json.dumps(dict(record.config_records.get("header", {}))),
    }
    with whole_file(path) as temporary:
        save_file(arrays, temporary, metadata=header)
    return path


def read_record(path: Path) -> RecordDict:
    """Return what `write_record` wrote to `path`, and remove the file."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as spooled:
        metadata = spooled.metadata()
        groups: dict[str, dict[str, Array]] = {
            group: {} for group in json.loads(metadata["groups"])
        }
        for key in spooled.keys():  # noqa: SIM118  (a safetensors handle is no mapping)
            group, _, name = key.partition(SEPARATOR)
            groups[group][name] = Array(spooled.get_tensor(key))
    path.unlink()
    record = RecordDict({group: ArrayRecord(arrays) for group, arrays in groups.items()})
    record["header"] = ConfigRecord(json.loads(metadata["header"]))
    return record
